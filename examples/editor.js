/**
 * The page of a document: an editor on a Y.Text, that y-websocket keeps equal with the host's.
 * `make editor` bundles this file with what it imports from npm.
 */
import { defaultKeymap } from "@codemirror/commands";
import { Compartment, EditorState } from "@codemirror/state";
import { EditorView, keymap, placeholder } from "@codemirror/view";
import { yCollab, yUndoManagerKeymap } from "y-codemirror.next";
import { messageAuth, WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import { colorOf, cursors, nameOf } from "./editor_cursors.js";
import { Saved } from "./editor_saved.js";

const FIRST_WAIT_MS = 200, LONGEST_WAIT_MS = 10_000, MAX_DOUBLINGS = 10, ANSWER_MS = 10_000;
// Closed with 4400 to 4499 another attempt would end alike; with any other code it is made.
const UNAUTHENTICATED = 4401; // but each attempt has a grant of its own
const EPOCH_CHANGED = 4405; // the document began anew: what is here does not go with it
const ENDS = { 4403: "not allowed", 4410: "this document was destroyed" };
const THEME = EditorView.theme({
  "&": { height: "100%" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { font: "inherit", lineHeight: "1.7", overflowX: "hidden" },
  ".cm-content": { padding: "1.4em .75rem 40vh", caretColor: "var(--ink)" },
  ".cm-placeholder": { color: "var(--faint)" },
  ".peer-selection": { background: "color-mix(in srgb, var(--peer) 28%, transparent)" },
  ".peer-caret": { position: "relative", borderLeft: "2px solid var(--peer)", marginLeft: "-1px",
    marginRight: "-1px" },
  ".peer-name": { position: "absolute", left: "-2px", bottom: "100%", padding: "0 .35em",
    borderRadius: ".3em .3em .3em 0", font: "600 .6875rem/1.35 system-ui, sans-serif",
    background: "var(--peer)", color: "var(--on-peer)", whiteSpace: "nowrap", maxWidth: "11em",
    overflow: "hidden", textOverflow: "ellipsis", userSelect: "none", pointerEvents: "none" },
});

const at = (id) => document.getElementById(id);
const path = location.pathname, room = path.slice(1); // percent-encoded, as in the URL of the socket
const field = at("name");
at("document").textContent = document.title = decodeURIComponent(room);
field.value = localStorage.getItem("name") || "guest-" + random(2);
const secret = sessionStorage.getItem("secret") ?? random(16);
sessionStorage.setItem("secret", secret);

const doc = new Y.Doc(), text = doc.getText("text");
const url = new URL("/realtime/editor/yjs", location);
url.protocol = url.protocol.replace("http", "ws");
const provider = new WebsocketProvider(url.href, room, doc, { connect: false,
  shouldReconnect: ({ code }) => code === UNAUTHENTICATED || code < 4400 || code > 4499 });
const { awareness } = provider, saved = new Saved(provider, show), readOnly = new Compartment();
const view = edit();
let ended = "", timer = 0;

awareness.on("change", people);
introduce();
provider.on("sync", show);
provider.on("connection-close", () => {
  provider.shouldConnect = false; // it would try again with a token that is too old
  later();
});
provider.on("closed", ({ code }) => { // for good
  if (code === EPOCH_CHANGED) return location.reload();
  end(ENDS[code] ?? `closed with ${code}`);
});
provider.messageHandlers[messageAuth] = () => end("not allowed to write here");
open();

// A token is good for five minutes: each connection gets one of its own.
async function open() {
  clearTimeout(timer);
  try {
    const { protocols: [, token] } = await grant();
    provider.protocols = ["yjs.sync.v1", token];
    if (!ended) provider.connect();
  } catch (error) {
    if (error.retryable === false) return end(error.message);
    provider.wsUnsuccessfulReconnects += 1;
    later();
  }
}

// Full jitter: a host that restarts does not meet everyone at once.
function later() {
  const doublings = Math.min(MAX_DOUBLINGS, provider.wsUnsuccessfulReconnects);
  clearTimeout(timer);
  timer = setTimeout(open, Math.random() * Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** doublings));
}

function end(why) {
  ended = why;
  clearTimeout(timer);
  view.dispatch({ effects: readOnly.reconfigure(EditorState.readOnly.of(true)) });
  show();
}

async function grant() {
  const response = await fetch(`${path}/grant`, {
    method: "POST", headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: field.value, secret }), signal: AbortSignal.timeout(ANSWER_MS),
  });
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.message), answer);
  return answer;
}

function edit() {
  // In a shadow CodeMirror adopts its style sheets, which the policy of the page allows.
  const root = at("editor").attachShadow({ mode: "open" });
  const state = EditorState.create({ extensions: [
    readOnly.of([]),
    EditorState.lineSeparator.of("\n"), // so that positions are those of the text, whatever is in it
    EditorView.clipboardInputFilter.of((pasted) => pasted.replace(/\r\n?/g, "\n")),
    EditorView.lineWrapping, THEME, placeholder("Write here; so can everybody."),
    EditorView.contentAttributes.of({ "aria-label": "Text", spellcheck: "true", autocorrect: "on",
      autocapitalize: "sentences" }),
    keymap.of([...yUndoManagerKeymap, ...defaultKeymap]),
    yCollab(text, null), cursors(text, awareness),
  ] });
  return new EditorView({ state, parent: root, root });
}

function introduce() { awareness.setLocalStateField("user", { name: field.value }); }

function people() {
  const introduced = [...awareness.getStates()].filter(([, state]) => state?.user);
  at("people").replaceChildren(...introduced.map(([id, state]) => {
    const item = document.createElement("li");
    item.textContent = nameOf(state);
    item.style.setProperty("--peer", colorOf(id));
    item.classList.toggle("me", id === awareness.clientID);
    return item;
  }));
}

function show() {
  const online = provider.synced;
  at("status").ariaLive = online ? "off" : "polite"; // not each pause of whoever writes
  at("status").dataset.state = ended ? "closed" : !online ? "offline" : saved.saved ? "saved" : "saving";
  at("status").textContent = ended || (online ? saved.saved ? "saved" : "saving"
    : saved.saved ? "offline" : "offline, not saved yet");
}

function random(bytes) {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)),
    (byte) => byte.toString(16).padStart(2, "0")).join("");
}

field.onchange = () => {
  if (!field.reportValidity()) return;
  localStorage.setItem("name", field.value);
  introduce();
};
at("form").onsubmit = (event) => {
  event.preventDefault();
  view.focus();
};
window.addEventListener("online", () => { if (!provider.wsconnected && !ended) open(); });
window.addEventListener("beforeunload", (event) => { if (!saved.saved) event.preventDefault(); });
window.addEventListener("pagehide", () => {
  provider.disconnect();
  end("closed");
});
window.addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
Object.assign(window, { provider, text, view }); // for the console
