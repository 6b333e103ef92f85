// What a page holds, and its keys and links.
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
