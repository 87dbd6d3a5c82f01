// The keys and values of one object.
import { useState } from "preact/hooks";

import { Confirm, PutDialog, toldOfWrite } from "./edit.js";
import { bytes, visible } from "./format.js";
import { html } from "./html.js";
import { useHost } from "./load.js";
import { hrefOf, replaceQuery } from "./route.js";
import { SearchField } from "./search_field.js";
import { Empty, Outcome, Section, Table, Text } from "./widgets.js";

const SHORT_CHARACTERS = 160; // longer values are folded

export function Storage({ data, which, route, reload }) {
  const { editing } = useHost();
  const [asked, setAsked] = useState(null); // { put: entry or null } or { drop: entry }
  const [outcome, setOutcome] = useState({});
  const done = ({ error, result }) => {
    setAsked(null);
    setOutcome({ error, text: result && toldOfWrite(result) });
    reload();
  };
  const close = () => setAsked(null);
  const heads = ["Key", "Value", ...(editing ? [{ text: "Change", kind: "change" }] : [])];
  return html`<${Section} title="Storage" aside=${html`<${Prefix} route=${route} />`}>
    <${Outcome} of=${outcome} />
    ${data.entries.length === 0
      ? html`<${Empty}>${route.query.prefix ? "No key begins so." : "It has stored nothing."}<//>`
      : html`<${Table} label="Keys and values" heads=${heads} kind="entries">
          ${data.entries.map((entry) => html`<tr key=${entry.key}>
            <th scope="row">
              <code><${Text} of=${entry.key} /></code>
              <small class="muted">${entry.type}, ${bytes(entry.bytes)}</small>
            </th>
            <td><${Value} entry=${entry} /></td>
            ${editing && html`<td class="change">
              <button type="button" class="outline small" disabled=${entry.cut} onClick=${() => setAsked({ put: entry })}
                title=${entry.cut ? "It is too long to be changed here" : null}
                aria-label="Change ${visible(entry.key)}">Change</button>
              <button type="button" class="outline secondary small" onClick=${() => setAsked({ drop: entry })}
                aria-label="Delete ${visible(entry.key)}">Delete</button>
            </td>`}
          </tr>`)}
        <//>`}
    <${Pages} data=${data} route=${route} />
    ${editing && html`<button type="button" class="outline small" onClick=${() => setAsked({ put: null })}>Put a key</button>`}
    ${asked && "put" in asked && html`<${PutDialog} which=${which} entry=${asked.put} onDone=${done} onClose=${close} />`}
    ${asked?.drop && html`<${Confirm} verb="Delete" operation="delete-key"
      text=${html`The key <code><${Text} of=${asked.drop.key} /></code> and its value are deleted.`}
      input=${{ ...which, key: asked.drop.key }} onDone=${done} onClose=${close} />`}
  <//>`;
}

const Prefix = ({ route }) => html`<${SearchField} label="Key begins with" kind="small" value=${route.query.prefix}
  onSearch=${(prefix) => replaceQuery(route, { ...route.query, after: "", prefix })} />`;

function Value({ entry }) {
  const note = entry.cut && html`<small class="muted">The first part of ${bytes(entry.bytes)}.</small>`;
  if (entry.value.length <= SHORT_CHARACTERS) return html`<code class="value">${visible(entry.value)}</code>${note}`;
  return html`<details>
    <summary><code class="value">${visible(entry.value.slice(0, SHORT_CHARACTERS))}…</code></summary>
    <code class="value">${visible(entry.value)}</code>
  </details>${note}`;
}

const Pages = ({ data, route }) => (route.query.after || data.after) && html`<nav class="pages" aria-label="Pages of keys">
  ${route.query.after && html`<a href=${hrefOf({ ...route, query: { ...route.query, after: "" } })}>First keys</a>`}
  ${data.after && html`<a href=${hrefOf({ ...route, query: { ...route.query, after: data.after } })}>Next keys</a>`}
</nav>`;
