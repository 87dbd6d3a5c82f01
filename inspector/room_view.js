// A room or a channel of the realtime module: who is there, what was said, what the document says.
import { useState } from "preact/hooks";

import { ActivityOf } from "./activity.js";
import { count, json, visible } from "./format.js";
import { html } from "./html.js";
import { useCall } from "./load.js";
import { useRereading } from "./rereading.js";
import { hrefOf } from "./route.js";
import { Chip, Empty, Loaded, Section, Table, Text, When } from "./widgets.js";

const PAGE = 50;
const KINDS = new Set(["rooms", "channels"]);

/** The binding and kind of a room's route; null if it is none. */
export function roomOf(host, { namespace, name }) {
  const module = host.bindings.find(({ kind, namespaces }) =>
    kind === "realtime" && namespaces.includes(namespace));
  const kind = namespace.slice(namespace.lastIndexOf(".") + 1);
  return module && name !== undefined && KINDS.has(kind) ? { binding: module.binding, kind, name } : null;
}

export function RoomView({ room, which, query }) {
  const input = { ...room, limit: PAGE };
  if (query.cursor) input.cursor = query.cursor;
  const read = useCall("room", input);
  const { heard, others } = useRereading(read);
  return html`<${Loaded} of=${read}>${(data) => html`
    <p class="chips">
      <${Chip} tone=${data.lifecycle.status === "active" ? "good" : ""}>${data.lifecycle.status}<//>
      <${Chip}>${count(data.lifecycle.activeConnections)} connected<//>
      ${data.lifecycle.lastActivityAt && html`<${Chip}>last activity <${When} ms=${Date.parse(data.lifecycle.lastActivityAt)} /><//>`}
      <button type="button" class="outline secondary small" aria-busy=${read.loading} onClick=${read.reload}>Read again</button>
    </p>
    <div class="columns">
      <div>
        ${data.document && html`<${Document} of=${data.document} />`}
        <${Messages} data=${data} which=${which} query=${query} />
      </div>
      <div>
        ${data.members && html`<${Members} members=${data.members} />`}
        ${data.awareness?.length > 0 && html`<${Awareness} of=${data.awareness} />`}
        ${data.metadata && Object.keys(data.metadata).length > 0 && html`<${Section} title="Metadata">
          <${Json} of=${data.metadata} />
        <//>`}
        <${ActivityOf} which=${which} onEvent=${heard} shown=${others} />
      </div>
    </div>
    <p class="muted">Reading a room is a call to it: it wakes, and changes nothing. Readings of this page are not among the events.</p>
  `}<//>`;
}

function Messages({ data, which, query }) {
  const href = (cursor) => hrefOf({ namespace: which.binding, name: which.name, query: { ...query, cursor } });
  return html`<${Section} title="Messages">
    ${data.messages.length === 0
      ? html`<${Empty}>${query.cursor ? "There are none before." : "Nothing was said."}<//>`
      : html`<ol class="messages" aria-label="Messages, newest first">
          ${data.messages.map((message) => html`<li key=${message.messageId}>
            <p>
              <strong><${Text} of=${nameOf(message.actor)} /></strong> <${Chip}><${Text} of=${message.type} /><//>
              <small class="muted"><${When} ms=${Date.parse(message.publishedAt)} /></small>
            </p>
            ${"data" in message && html`<${Json} of=${message.data} />`}
          </li>`)}
        </ol>`}
    <nav class="pages" aria-label="Pages of messages">
      ${query.cursor && html`<a href=${href("")}>Newest</a>`}
      ${data.cursor && html`<a href=${href(data.cursor)}>Older</a>`}
    </nav>
  <//>`;
}

const Members = ({ members }) => html`<${Section} title="Members">
  ${members.length === 0
    ? html`<${Empty}>Nobody is here.<//>`
    : html`<${Table} label="Members" heads=${["Member", "Presence"]}>
        ${members.map((member) => html`<tr key=${member.memberId}>
          <th scope="row">
            <${Text} of=${member.actor?.displayName ?? member.memberId} />
            <small class="muted">seen <${When} ms=${Date.parse(member.lastSeenAt)} /></small>
          </th>
          <td><${Json} of=${member.presence} /></td>
        </tr>`)}
      <//>`}
<//>`;

const Awareness = ({ of }) => html`<${Section} title="Awareness">
  <${Table} label="Awareness" heads=${["Client", "State"]}>
    ${of.map((client) => html`<tr key=${client.clientId}>
      <th scope="row"><code><${Text} of=${client.clientId} /></code></th>
      <td><${Json} of=${client.state} /></td>
    </tr>`)}
  <//>
<//>`;

function Document({ of }) {
  const [at, setAt] = useState(0);
  if (of.unread) return html`<${Section} title="Document"><${Empty}>${visible(of.unread)}<//><//>`;
  const text = of.texts[Math.min(at, of.texts.length - 1)];
  const choice = of.texts.length > 1 && html`<select class="small" aria-label="Part of the document"
    onChange=${(event) => setAt(Number(event.currentTarget.value))}>
    ${of.texts.map(({ name }, index) => html`<option value=${index} selected=${index === at}>${visible(name)}</option>`)}
  </select>`;
  return html`<${Section} title="Document" aside=${choice}>
    ${text
      ? html`<p class="muted"><code><${Text} of=${text.name} /></code>, ${text.kind}, ${count(text.characters)} characters</p>
          <pre class="document" tabindex="0" aria-label="Text of the document">${text.text}</pre>
          ${text.cut && html`<small class="muted">Only the first part.</small>`}`
      : html`<${Empty}>There is no text in it.<//>`}
  <//>`;
}

/** A JSON value: what is short in one line, each member of an object by its name. */
function Json({ of }) {
  if (of !== null && typeof of === "object" && !Array.isArray(of)) {
    const members = Object.entries(of);
    if (members.length === 0) return html`<code class="value muted">{}</code>`;
    if (members.every(([, value]) => value === null || typeof value !== "object")) {
      return html`<dl class="members">${members.map(([name, value]) => html`<div>
        <dt><${Text} of=${name} /></dt><dd><${Text} of=${typeof value === "string" ? value : json(value)} /></dd>
      </div>`)}</dl>`;
    }
  }
  return html`<code class="value">${visible(json(of)).replaceAll("\\u000a", "\n")}</code>`;
}

const nameOf = (actor) => actor?.displayName ?? actor?.userId ?? actor?.id ?? actor?.kind ?? "the server";
