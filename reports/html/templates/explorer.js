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
