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

// A walk through a state graph; a position is the list of the steps taken.
class Explorer {
  constructor(root) {
    this.root = root;
    this.taken = [];
    root.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      const { walk, jump, take, keep } = button.dataset;
      if (walk === "start") this.go([]);
      else if (walk === "back") this.go(this.taken.slice(0, -1));
      else if (jump) this.go(this.pathTo(this.data.properties.indexOf(jump)));
      else if (take) this.go([...this.taken, Number(take)]);
      else if (keep) this.go(this.taken.slice(0, Number(keep)));
    });
    root.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const choice = /^[1-9]$/.test(event.key) ? Number(event.key) - 1 : -1;
      if (choice >= 0 && choice < this.states()[this.taken.length][1].length) this.go([...this.taken, choice]);
      else if (event.key === "Backspace") this.go(this.taken.slice(0, -1));
      else if (event.key === "Home") this.go([]);
      else return;
      event.preventDefault();
    });
  }

  get data() { return this.known ??= dataOf(this.root); }
  isShown() { return this.root.querySelector(".position").textContent !== ""; }

  // The states on the way, as far as the steps exist.
  states() {
    const { states } = this.data;
    const way = [states[0]];
    for (const index of this.taken) {
      const step = way[way.length - 1][1][index];
      if (!step) break;
      way.push(states[step[3]]);
    }
    return way;
  }

  // Breadth first: the fewest steps that violate a property.
  pathTo(property) {
    const { states } = this.data;
    const bit = 1 << property;
    const cameFrom = new Map([[0, null]]);
    const back = (state) => {
      const path = [];
      for (let at = cameFrom.get(state); at; at = cameFrom.get(at[0])) path.unshift(at[1]);
      return path;
    };
    for (const number of cameFrom.keys()) {
      const [, steps, ends] = states[number];
      if (ends & bit) return back(number);
      for (const [index, step] of steps.entries()) {
        if (step[4] & bit) return [...back(number), index];
        if (!cameFrom.has(step[3])) cameFrom.set(step[3], [number, index]);
      }
    }
    return [];
  }

  line([task, call, result]) {
    const { texts } = this.data;
    const line = make("span");
    line.append(make("strong", value(texts[task])), " ", code(texts[call]));
    if (texts[result]) line.append(" \u2192 ", code(texts[result]));
    return line;
  }

  names(bits) { return this.data.properties.filter((_, index) => bits >> index & 1); }

  tags(step, from) {
    const found = [];
    const [, , , target, violates] = step;
    const lost = this.data.states[target][3] & ~from[3];
    for (const name of this.names(lost & ~violates)) found.push(make("span", "no return: " + name, "tag no"));
    for (const name of this.names(violates)) found.push(make("span", "VIOLATED " + name, "tag violated"));
    return found;
  }

  go(taken, isQuiet) {
    const hadFocus = this.root.contains(document.activeElement);
    this.taken = taken;
    const way = this.states();
    this.taken = taken.slice(0, way.length - 1);
    const here = way[way.length - 1];
    const fragment = this.taken.length ? `${this.root.id}-${this.taken.join(".")}` : this.root.id;
    this.root.querySelector(".link").href = "#" + fragment;
    this.root.querySelector("[data-walk=back]").disabled = !this.taken.length;
    this.root.querySelector("[data-walk=start]").disabled = !this.taken.length;
    this.tell(way, here);
    this.choose(here);
    this.trail(way);
    const before = way.length > 1 ? way[way.length - 2][0] : undefined;
    showParts(this.root.querySelector(".parts"), this.data, here[0], before);
    // The focus was on what is gone now: it goes to the first step, or to the way back.
    if (hadFocus && !this.root.contains(document.activeElement)) {
      (this.root.querySelector(".choices button") || this.root.querySelector("[data-walk=back]")).focus();
    }
    if (!isQuiet) remember(fragment);
  }

  tell(way, here) {
    const place = this.root.querySelector(".position");
    const said = [this.taken.length ? `After ${this.taken.length} ${this.taken.length === 1 ? "step" : "steps"}. ` : "At the start. "];
    const last = this.taken.length ? way[way.length - 2][1][this.taken[this.taken.length - 1]][4] : 0;
    for (const name of this.names(here[2] | last)) said.push(make("span", "VIOLATED " + name, "tag violated"), " ");
    for (const name of this.names(here[3] & ~here[2] & ~last)) said.push(make("span", "past the point of no return: " + name, "tag no"), " ");
    place.replaceChildren(...said);
  }

  choose(here) {
    const list = this.root.querySelector(".choices");
    list.replaceChildren(...here[1].map((step, index) => {
      const button = make("button", this.line(step));
      button.type = "button";
      button.dataset.take = index;
      button.append(...this.tags(step, here));
      return make("li", button);
    }));
    if (!here[1].length) list.replaceChildren(make("li", "Nothing can happen any more.", "none"));
  }

  trail(way) {
    const list = this.root.querySelector(".trail");
    list.replaceChildren(...this.taken.map((index, at) => {
      const button = make("button", this.line(way[at][1][index]));
      button.type = "button";
      button.dataset.keep = at + 1;
      button.append(...this.tags(way[at][1][index], way[at]));
      return make("li", button);
    }));
    if (!this.taken.length) list.replaceChildren(make("li", "Nothing yet.", "none"));
    list.scrollTop = list.scrollHeight;
  }
}

const explorers = new Map([...document.querySelectorAll("[data-explorer]")].map((root) => [root.id, new Explorer(root)]));
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
  const walked = /^([a-z]+[0-9]*)-([0-9]+(?:[.][0-9]+)*)$/.exec(fragment);
  const player = match && players.get(match[1]);
  const explorer = walked && explorers.get(walked[1]);
  const target = document.getElementById(player ? match[1] : explorer ? walked[1] : fragment);
  if (!target) return;
  for (let one = target; one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
  if (player) {
    Player.active = player;
    player.select(match[2] === "s" ? 0 : 1, Number(match[3]), true);
    player.root.querySelector(".stage").scrollIntoView();
  } else {
    if (explorer) explorer.go(walked[2].split(".").map(Number), true);
    target.scrollIntoView();
  }
};

// A closed section costs nothing until it is opened.
const start = (one) => {
  if (one.isShown()) return;
  if (one instanceof Player) one.select(0, 0, true);
  else one.go([], true);
};
for (const one of [...players.values(), ...explorers.values()]) {
  const section = one.root.closest("details");
  if (section === null || section.open) start(one);
  else section.addEventListener("toggle", () => start(one), { once: true });
}
Player.active = players.values().next().value;
addEventListener("hashchange", () => goToFragment());
addEventListener("beforeprint", () => {
  for (const one of document.querySelectorAll("details.section")) one.open = true;
});
const goToFragment = () => { if (location.hash.length > 1) goTo(decodeURIComponent(location.hash.slice(1))); };
goToFragment();
addEventListener("load", goToFragment); // after the browser has scrolled by itself
