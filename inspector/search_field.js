// A field that is searched with while one types.
import { useEffect, useRef } from "preact/hooks";

import { html } from "./html.js";

const TYPING_MS = 200;
const MAX_CHARACTERS = 255;

/** `value`: what is searched for now; `onSearch` hears what was typed, once no more comes. */
export function SearchField({ label, value = "", kind = "", onSearch }) {
  const field = useRef();
  const timer = useRef();
  useEffect(() => () => clearTimeout(timer.current), []);
  useEffect(() => {
    // A link may search for something else; what is being typed is nobody else's to change.
    if (document.activeElement !== field.current) field.current.value = value;
  }, [value]);
  const typed = (event) => {
    const text = event.currentTarget.value;
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onSearch(text), TYPING_MS);
  };
  return html`<input type="search" class=${kind} ref=${field} aria-label=${label} placeholder=${label}
    maxlength=${MAX_CHARACTERS} spellcheck=${false} autocomplete="off" onInput=${typed} />`;
}
