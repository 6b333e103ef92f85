"use strict";
// The script of a Wavecheck page: this file, player.js, explorer.js, page.js as one.
// All values are put in as text, never as markup. What a page says is there without it;
// it adds stepping, tables at each moment, links.

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
