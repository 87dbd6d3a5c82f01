// The API key of this tab, and whether its writes are switched on.
const NAME = "roomhost.key";
const LINK = /^#key=([^&/]*)/; // what `roomhost dev` prints
const USABLE = /^[\x21-\x7e]+$/; // what a header can carry

const listeners = new Set();
let state = { key: sessionStorage.getItem(NAME), wrong: false, editing: false };

/** What is known: `key` or null, `wrong` if the last one was refused, `editing`. */
export const current = () => state;

/** Calls `listener` at each change; returns what ends that. */
export function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Takes a key that was entered. */
export function enter(key) {
  const given = key.trim();
  if (!USABLE.test(given)) return set({ key: null, wrong: true });
  sessionStorage.setItem(NAME, given);
  set({ key: given, wrong: false });
}

/** Drops the key: the host refused it. */
export const refuse = () => drop(true);

/** Drops the key, as was asked for. */
export const forget = () => drop(false);

/** Switches writes on or off, for this page alone. */
export const edit = (editing) => set({ editing });

/** Takes the key out of a link, and out of the address and the history at once. */
export function takeLink() {
  const found = LINK.exec(location.hash);
  if (!found) return;
  history.replaceState(null, "", `${location.pathname}${location.search}#/`);
  let key = "";
  try {
    key = decodeURIComponent(found[1]);
  } catch {
    // Malformed: no key, which is said to be wrong.
  }
  enter(key);
}

function drop(wrong) {
  sessionStorage.removeItem(NAME);
  set({ key: null, wrong, editing: false });
}

function set(changes) {
  state = { ...state, ...changes };
  for (const listener of [...listeners]) listener(state);
}
