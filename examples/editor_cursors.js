/**
 * The cursors of the others, for CodeMirror: a caret with a name, and the selection.
 *
 * Awareness states are those of y-codemirror.next (`user.name`, `cursor.anchor`, `cursor.head`), so
 * its clients and these see each other. Its own carets are drawn with style attributes, of colors
 * that the other side chooses; these need no policy that allows it, and let nobody choose.
 */
import { Annotation } from "@codemirror/state";
import { Decoration, ViewPlugin, WidgetType } from "@codemirror/view";
import * as Y from "yjs";

const COLORS = 8; // --peer-0 to --peer-7 of the page
const MAX_NAME_CHARACTERS = 40;
const moved = Annotation.define();

export const colorOf = (clientId) => `var(--peer-${clientId % COLORS})`;

/** The name in an awareness state, of which nothing is known: anybody can send any JSON. */
export function nameOf(state) {
  const name = state?.user?.name;
  return typeof name === "string" && name ? name.slice(0, MAX_NAME_CHARACTERS) : "somebody";
}

/** An extension that announces this editor's cursor in `text` and shows the others'; it comes after
 * the one that keeps the editor and `text` equal. */
export const cursors = (text, awareness) => ViewPlugin.define((view) => new Cursors(text, awareness, view),
  { decorations: ({ decorations }) => decorations });

class Cursors {
  decorations = Decoration.none;
  #text; #awareness; #view;

  constructor(text, awareness, view) {
    this.#text = text; this.#awareness = awareness; this.#view = view;
    awareness.on("change", this.#changed);
  }

  destroy() { this.#awareness.off("change", this.#changed); }

  update({ view, state }) {
    if (view.hasFocus) this.#announce(state.selection.main);
    this.decorations = Decoration.set(this.#drawn(state.doc.length), true);
  }

  // What others did is drawn by an update of its own; what this editor announces is in one already.
  #changed = ({ added, updated, removed }) => {
    if ([...added, ...updated, ...removed].some((id) => id !== this.#awareness.clientID))
      this.#view.dispatch({ annotations: moved.of(true) });
  };

  #announce({ anchor, head }) {
    const relative = (index) => Y.createRelativePositionFromTypeIndex(this.#text, index);
    const cursor = { anchor: relative(anchor), head: relative(head) };
    const before = this.#awareness.getLocalState()?.cursor;
    if (JSON.stringify(cursor) !== JSON.stringify(before))
      this.#awareness.setLocalStateField("cursor", cursor);
  }

  #drawn(length) {
    const ranges = [];
    for (const [id, state] of this.#awareness.getStates()) {
      if (id === this.#awareness.clientID) continue;
      const anchor = this.#index(state?.cursor?.anchor), head = this.#index(state?.cursor?.head);
      if (anchor === null || head === null || Math.max(anchor, head) > length) continue;
      const style = `--peer: ${colorOf(id)}`;
      if (anchor !== head)
        ranges.push(Decoration.mark({ class: "peer-selection", attributes: { style } })
          .range(Math.min(anchor, head), Math.max(anchor, head)));
      const widget = new Caret(nameOf(state), colorOf(id));
      ranges.push(Decoration.widget({ widget, side: head > anchor ? -1 : 1 }).range(head));
    }
    return ranges;
  }

  /** Where in the text an announced position is; null where it is none, or not here yet. */
  #index(position) {
    try {
      const found = Y.createAbsolutePositionFromRelativePosition(
        Y.createRelativePositionFromJSON(position), this.#text.doc);
      return found?.type === this.#text ? found.index : null;
    } catch { return null; }
  }
}

class Caret extends WidgetType {
  constructor(name, color) {
    super();
    Object.assign(this, { name, color });
  }
  eq({ name, color }) { return name === this.name && color === this.color; }
  ignoreEvent() { return true; }
  toDOM() {
    const caret = document.createElement("span"), label = document.createElement("span");
    caret.className = "peer-caret";
    caret.style.setProperty("--peer", this.color);
    label.className = "peer-name";
    label.textContent = this.name;
    caret.append("\u2060", label, "\u2060"); // no line breaks here
    return caret;
  }
}
