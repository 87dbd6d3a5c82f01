// Asks for an API key.
import { useEffect, useRef, useState } from "preact/hooks";

import { html } from "./html.js";
import * as session from "./session.js";

export function KeyForm({ wrong }) {
  const [key, setKey] = useState("");
  const field = useRef();
  useEffect(() => field.current.focus(), []);
  const submit = (event) => {
    event.preventDefault();
    session.enter(key);
  };
  return html`<main class="alone">
    <form class="card" onSubmit=${submit}>
      <h1>roomhost inspector</h1>
      <label>
        API key
        <input type="password" autocomplete="off" spellcheck=${false} required ref=${field} value=${key}
          aria-invalid=${wrong ? "true" : null} aria-describedby="key-help"
          onInput=${(event) => setKey(event.currentTarget.value)} />
      </label>
      ${wrong && html`<p class="failure" role="alert">This is no API key of this host.</p>`}
      <p id="key-help" class="muted">
        One of the setting <code>api_keys</code>; <code>roomhost dev</code> prints a link with its own.
        It stays in this tab, and goes when the tab is closed.
      </p>
      <button type="submit">Open</button>
    </form>
  </main>`;
}
