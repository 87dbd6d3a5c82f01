// One object: what it stores, its alarm, its sockets, and what happens to it now.
import { useEffect, useRef, useState } from "preact/hooks";

import { Activity } from "./activity.js";
import { Confirm } from "./edit.js";
import { bytes, moment, plural } from "./format.js";
import { html } from "./html.js";
import { useCall, useHost } from "./load.js";
import { RoomView, roomOf } from "./room_view.js";
import { hrefOf } from "./route.js";
import { Sockets } from "./sockets.js";
import { Storage } from "./storage.js";
import { Chip, Loaded, Outcome, Section, Text, When } from "./widgets.js";

const PAGE = 50;
const SETTLE_MS = 500; // a busy object is read again no more often

export function ObjectView({ route }) {
  const { namespace, name, id, query } = route;
  const { host } = useHost();
  const which = name === undefined ? { binding: namespace, id } : { binding: namespace, name };
  const room = roomOf(host, route);
  const inside = room && query.view !== "object";
  return html`
    <p class="crumbs"><a href=${hrefOf({ namespace })}><${Text} of=${namespace} /></a></p>
    <h1>${name === undefined ? html`<code class="id">${id}</code>` : html`<${Text} of=${name} />`}</h1>
    ${room && html`<${Tabs} route=${route} inside=${inside} />`}
    ${inside
      ? html`<${RoomView} room=${room} which=${which} query=${query} />`
      : html`<${Inside} which=${which} route=${route} />`}
  `;
}

function Tabs({ route, inside }) {
  const link = (view, text, here) => html`<li>
    <a href=${hrefOf({ ...route, query: { view } })} aria-current=${here ? "page" : null}>${text}</a>
  </li>`;
  return html`<nav class="tabs" aria-label="Views"><ul>
    ${link("", "Room", inside)}${link("object", "Object", !inside)}
  </ul></nav>`;
}

function Inside({ which, route }) {
  const { query } = route;
  const input = { ...which, limit: PAGE };
  if (query.prefix) input.prefix = query.prefix;
  if (query.after) input.after = query.after;
  const object = useCall("inspect", input);
  const timer = useRef();
  useEffect(() => () => clearTimeout(timer.current), []);
  const settle = () => {
    timer.current ??= setTimeout(() => { timer.current = undefined; object.reload(); }, SETTLE_MS);
  };
  return html`<${Loaded} of=${object}>${(data) => html`
    <p class="chips">
      ${data.resident ? html`<${Chip} tone="good">in memory<//>` : html`<${Chip}>asleep<//>`}
      <${Chip}>${data.more_keys ? "over " : ""}${plural(data.keys, "key")}, ${bytes(data.bytes)}<//>
      ${data.queued > 0 && html`<${Chip} tone="warn">${plural(data.queued, "event")} waiting<//>`}
      <${Chip}>id <code title=${data.id}>${data.id.slice(0, 12)}…</code><//>
    </p>
    <${Actions} data=${data} which=${which} reload=${object.reload} />
    <div class="columns">
      <div>
        <${Storage} data=${data} which=${which} route=${route} reload=${object.reload} />
        <${Alarm} alarm=${data.alarm} />
        <${Sockets} sockets=${data.sockets} total=${data.socket_count} />
      </div>
      <${Activity} which=${which} events=${data.events} onEvent=${settle} />
    </div>
  `}<//>`;
}

function Alarm({ alarm }) {
  if (!alarm) return null;
  return html`<${Section} title="Alarm">
    <dl class="facts">
      <div><dt>Due</dt><dd>${alarm.running ? "running now" : html`<${When} ms=${alarm.at_ms} />`}</dd></div>
      <div><dt>At</dt><dd>${moment(alarm.at_ms)}</dd></div>
      <div><dt>Failed runs</dt><dd>${alarm.retry_count ?? 0}</dd></div>
      ${alarm.retry_at_ms !== undefined && html`<div><dt>Tried again</dt><dd><${When} ms=${alarm.retry_at_ms} /></dd></div>`}
    </dl>
  <//>`;
}

const WRITES = { // `told`: what is said of the result
  "run-alarm": {
    verb: "Run alarm now",
    text: "Its alarm runs at once, and not again at its time.",
    told: ({ outcome }) => ALARMS[outcome] ?? `The alarm failed: ${outcome}`,
  },
  evict: {
    verb: "Evict",
    text: "It leaves memory; its sockets stay, and its next event starts it again.",
    told: ({ evicted }) => (evicted ? "It was evicted." : "It is busy, and is evicted once it is idle."),
  },
};

const ALARMS = {
  ok: "The alarm ran.",
  running: "The alarm runs still.",
  moved: "The object moved or deleted its alarm first.",
};

function Actions({ data, which, reload }) {
  const { editing } = useHost();
  const [asked, setAsked] = useState(null);
  const [outcome, setOutcome] = useState({});
  if (!editing) return null;
  const done = ({ error, result }) => {
    setOutcome({ error, text: result && WRITES[asked].told(result) });
    setAsked(null);
    reload();
  };
  const button = (operation) => html`<button type="button" class="outline small"
    onClick=${() => setAsked(operation)}>${WRITES[operation].verb}</button>`;
  return html`<p class="actions">
      ${data.alarm && button("run-alarm")}
      ${data.resident && button("evict")}
    </p>
    <${Outcome} of=${outcome} />
    ${asked && html`<${Confirm} ...${WRITES[asked]} operation=${asked} input=${which}
      onDone=${done} onClose=${() => setAsked(null)} />`}`;
}
