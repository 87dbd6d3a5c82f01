// Writes into an object, each after a question.
import { useState } from "preact/hooks";

import { call } from "./api.js";
import { html } from "./html.js";
import { Dialog, Failure } from "./widgets.js";

/** What is said of a change that is durable, while a busy instance remembers what was before. */
export const toldOfWrite = ({ evicted }) =>
  evicted ? null : "It is stored. The instance in memory is busy, and sees it once it has been evicted.";

/** A question before an operation. `onDone` hears { error }, or { result }; `onClose` that nothing was
 * done. */
export function Confirm({ verb, text, operation, input, onDone, onClose }) {
  const [busy, setBusy] = useState(false);
  const act = async () => {
    setBusy(true);
    try {
      onDone({ result: await call(operation, input) });
    } catch (error) {
      onDone({ error });
    }
  };
  return html`<${Dialog} title="${verb}?" onClose=${onClose}>
    <p>${text}</p>
    <footer>
      <button type="button" class="secondary" autofocus onClick=${onClose}>Cancel</button>
      <button type="button" aria-busy=${busy} disabled=${busy} onClick=${act}>${verb}</button>
    </footer>
  <//>`;
}

/** A form for a key and its value, a Python literal; `onDone` hears { result }; `entry` is the one that is changed, if any. */
export function PutDialog({ which, entry, onDone, onClose }) {
  const [key, setKey] = useState(entry?.key ?? "");
  const [value, setValue] = useState(entry?.value ?? "");
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const act = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      onDone({ result: await call("put", { ...which, key, value }) });
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return html`<${Dialog} title=${entry ? "Change a value" : "Put a key"} onClose=${onClose}>
    <form onSubmit=${act}>
      <label>Key
        <input required readonly=${Boolean(entry)} value=${key} spellcheck=${false}
          onInput=${(event) => setKey(event.currentTarget.value)} />
      </label>
      <label>Value, as a Python literal
        <textarea required rows="5" spellcheck=${false} value=${value}
          onInput=${(event) => setValue(event.currentTarget.value)} />
      </label>
      ${error && html`<${Failure} error=${error} />`}
      <footer>
        <button type="button" class="secondary" onClick=${onClose}>Cancel</button>
        <button type="submit" aria-busy=${busy} disabled=${busy}>Put</button>
      </footer>
    </form>
  <//>`;
}
