"use strict";
// The script of a Wavecheck page. All values are put in as text, never as markup.
// What a page says is there without it; it adds stepping, tables at each moment, links.

const make = (tag, content, className) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (content !== undefined) element.append(content);
  return element;
};
const value = (text) => make("bdi", text);
const code = (text) => make("code", value(text));
const dataOf = (root) => JSON.parse(root.querySelector("script[type='application/json']").textContent);
const remember = (fragment) => {
  // In a sandboxed frame there is no address to keep it in.
  try { history.replaceState(null, "", "#" + fragment); } catch { /* not kept */ }
};

// One part of the shared state as a table; what differs from before is marked.
const partTable = (data, index, content, before) => {
  const { name, columns } = data.parts[index];
  const table = make("table");
  table.append(make("caption", value(name)));
  if (columns.length > 1) {
    const heads = make("tr");
    for (const column of columns) {
      const head = make("th", value(column));
      head.scope = "col";
      heads.append(head);
    }
    const top = make("thead");
    top.append(heads);
    table.append(top);
  }
  const old = new Map((before === undefined ? [] : data.contents[before]).map((row) => [data.rows[row][0], row]));
  const lines = make("tbody");
  let touched = false;
  for (const row of data.contents[content]) {
    const [key, ...cells] = data.rows[row];
    const was = old.has(key) ? data.rows[old.get(key)] : null;
    old.delete(key);
    const line = make("tr");
    cells.forEach((cell, at) => {
      const box = make("td");
      if (before !== undefined && (was === null || was[at + 1] !== cell)) {
        touched = true;
        box.className = "new";
        if (was !== null) {
          const gone = make("s", value(data.texts[was[at + 1]]));
          gone.setAttribute("aria-label", "was " + data.texts[was[at + 1]]);
          box.append(gone);
        }
      }
      box.append(value(data.texts[cell]));
      line.append(box);
    });
    lines.append(line);
  }
  for (const row of old.values()) {
    touched = true;
    const line = make("tr", undefined, "gone");
    for (const cell of data.rows[row].slice(1)) line.append(make("td", value(data.texts[cell])));
    lines.append(line);
  }
  if (!lines.children.length) {
    const box = make("td", "empty", "none");
    box.colSpan = Math.max(1, columns.length);
    const line = make("tr");
    line.append(box);
    lines.append(line);
  }
  table.append(lines);
  const part = make("div", table, touched ? "part touched" : "part");
  return part;
};
const showParts = (place, data, frame, before) => {
  const tables = frame.map((content, index) => partTable(data, index, content, before && before[index]));
  // What changed comes first, so that it is in view.
  tables.sort((a, b) => b.classList.contains("touched") - a.classList.contains("touched"));
  place.replaceChildren(...tables);
};

class Player {
  constructor(root) {
    this.root = root;
    this.lists = [...root.querySelectorAll(".steps")];
    this.track = 0;
    this.step = 0;
    for (const list of this.lists) {
      list.lanes = list.parentElement.querySelector(".lanes");
      list.addEventListener("click", (event) => {
        const line = event.target.closest("li");
        if (line && !String(getSelection())) this.select(this.lists.indexOf(list), this.numberOf(line));
      });
      list.addEventListener("keydown", (event) => this.key(event, list));
    }
    root.addEventListener("click", (event) => this.click(event));
    root.addEventListener("focusin", () => { Player.active = this; });
  }

  get data() { return this.known ??= dataOf(this.root); }
  isShown() { return this.root.querySelector(".position").textContent !== ""; }
  numberOf(line) { return Number(line.id.slice(line.id.lastIndexOf("-") + 2)); }
  last() { return this.data.tracks[this.track].steps.length; }

  click(event) {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.step) {
      this.select(0, Number(button.dataset.step));
      this.show();
    } else if (button.dataset.go) {
      const to = { first: 0, back: this.step - 1, next: this.step + 1, last: this.last() }[button.dataset.go];
      this.select(this.track, to);
    } else if (button.classList.contains("beside")) {
      this.beside(button.getAttribute("aria-expanded") !== "true");
    }
  }

  key(event, list) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const track = this.lists.indexOf(list);
    const step = track === this.track ? this.step : 0;
    const to = {
      ArrowDown: step + 1, ArrowRight: step + 1, ArrowUp: step - 1, ArrowLeft: step - 1,
      Home: 0, End: this.data.tracks[track].steps.length,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.select(track, to);
  }

  beside(isOn) {
    const button = this.root.querySelector(".beside");
    const passing = this.root.querySelector(".track.passing");
    if (!button || !passing) return;
    button.setAttribute("aria-expanded", String(isOn));
    button.textContent = isOn ? "Hide it" : "Show it beside";
    passing.hidden = !isOn;
    this.root.querySelector(".stage").classList.toggle("both", isOn);
    const first = passing.querySelector(".is-differs");
    if (isOn && first) {
      this.reveal(first);
    }
  }

  select(track, step, isQuiet) {
    const told = this.data.tracks[track];
    step = Math.max(0, Math.min(step, told.steps.length));
    if (track === 1) this.beside(true);
    for (const one of this.root.querySelectorAll("[aria-selected=true]")) one.setAttribute("aria-selected", "false");
    for (const one of this.root.querySelectorAll("circle.on")) one.classList.remove("on");
    this.track = track;
    this.step = step;
    const list = this.lists[track];
    const letter = list.dataset.letter;
    const fragment = `${this.root.id}-${letter}${step}`;
    const line = document.getElementById(fragment);
    if (line) {
      line.setAttribute("aria-selected", "true");
      list.setAttribute("aria-activedescendant", fragment);
      list.lanes.querySelectorAll("circle")[step - Number(list.dataset.first)].classList.add("on");
      this.reveal(line);
    } else {
      list.removeAttribute("aria-activedescendant");
    }
    this.tell(told, step, line);
    this.root.querySelector(".link").href = "#" + fragment;
    this.root.querySelector("[data-go=back]").disabled = step === 0;
    this.root.querySelector("[data-go=first]").disabled = step === 0;
    this.root.querySelector("[data-go=next]").disabled = step === told.steps.length;
    this.root.querySelector("[data-go=last]").disabled = step === told.steps.length;
    if (!isQuiet) remember(fragment);
  }

  // Scroll the page to the steps, unless the selected one is in sight.
  show() {
    const line = this.root.querySelector("[aria-selected=true]");
    const box = line && line.getBoundingClientRect();
    if (!box || box.top < 0 || box.bottom > innerHeight) this.root.querySelector(".stage").scrollIntoView();
  }

  reveal(line) {
    const scroller = line.closest(".scroller");
    const frame = scroller.getBoundingClientRect();
    const box = line.getBoundingClientRect();
    const head = scroller.querySelector(".head").clientHeight;
    const above = frame.top + head + 46 - box.top; // one line more stays in view
    const below = box.bottom + 46 - frame.bottom;
    if (above > 0) scroller.scrollTop -= above;
    else if (below > 0) scroller.scrollTop += below;
  }

  tell(told, step, line) {
    const position = this.root.querySelector(".position");
    const place = this.root.querySelector(".told");
    const which = this.track === 0 ? "" : " of the passing schedule";
    if (step === 0) {
      position.textContent = `Before the first step${which}`;
      place.replaceChildren();
    } else {
      position.textContent = `Step ${step} of ${told.steps.length}${which}`;
      place.replaceChildren(...this.statement(told.steps[step - 1], line));
    }
    const before = step === 0 ? undefined : told.frames[step - 1];
    showParts(this.root.querySelector(".parts"), this.data, told.frames[step], before);
  }

  source([names, lines, at]) {
    const { texts } = this.data;
    const found = [make("p", value(texts[names]), "place")];
    const block = make("pre", undefined, "source");
    lines.forEach((text, index) => {
      const line = make("code", texts[text] + "\n");
      if (index === at) line.className = "at";
      block.append(line);
    });
    found.push(block);
    return found;
  }

  statement([number, args, place], line) {
    const { meaning, sql } = this.data.statements[number];
    const found = [];
    const does = make("p", undefined, "does");
    if (line) {
      does.append(make("strong", value(line.querySelector(".who").textContent)), ": ", code(line.querySelector(".call code").textContent));
      const result = line.querySelector(".result code");
      if (result) does.append(" returns ", code(result.textContent));
      found.push(does);
    }
    if (meaning) found.push(make("p", meaning, "muted"));
    if (sql) found.push(make("pre", make("code", sql), "sql"));
    if (args.length) {
      const list = make("dl", undefined, "args");
      for (let at = 0; at < args.length; at += 2) {
        list.append(make("dt", ":" + this.data.texts[args[at]]), make("dd", value(this.data.texts[args[at + 1]])));
      }
      found.push(list);
    }
    if (place) found.push(...this.source(place));
    return found;
  }
}

const players = new Map([...document.querySelectorAll("[data-player]")].map((root) => [root.id, new Player(root)]));

// Left and right step the player that was used last; up and down scroll the page.
document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  if (event.target.closest("input, textarea, select, [role=listbox], [data-explorer]")) return;
  const player = Player.active;
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!player || !by || player.root.offsetParent === null) return;
  event.preventDefault();
  player.select(player.track, player.step + by);
});

// A fragment names a section, a step of a player or a position of an explorer.
const goTo = (fragment) => {
  const match = /^([a-z]+[0-9]*)-([sp])([0-9]{1,6})$/.exec(fragment);
  const player = match && players.get(match[1]);
  const target = document.getElementById(player ? match[1] : fragment);
  if (!target) return;
  for (let one = target; one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
  if (player) {
    Player.active = player;
    player.select(match[2] === "s" ? 0 : 1, Number(match[3]), true);
    player.show();
  } else {
    target.scrollIntoView();
  }
};

// A closed section costs nothing until it is opened.
const start = (player) => { if (!player.isShown()) player.select(0, 0, true); };
for (const player of players.values()) {
  const section = player.root.closest("details");
  if (section === null || section.open) start(player);
  else section.addEventListener("toggle", () => start(player), { once: true });
}
Player.active = players.values().next().value;
addEventListener("hashchange", () => goTo(decodeURIComponent(location.hash.slice(1))));
addEventListener("beforeprint", () => {
  for (const one of document.querySelectorAll("details.section")) one.open = true;
});
if (location.hash.length > 1) goTo(decodeURIComponent(location.hash.slice(1)));
