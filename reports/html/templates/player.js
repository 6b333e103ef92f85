// A counterexample to step through; a position is a step of one of its schedules.
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
