// What happens to one object, as it happens: its events and its log.
import { useEffect, useRef, useState } from "preact/hooks";

import { follow } from "./api.js";
import { clock, count, duration, visible } from "./format.js";
import { html } from "./html.js";
import { useCall, useHost } from "./load.js";
import { Chip, Empty, Loaded, Section, Table } from "./widgets.js";

const KEPT = 100; // of each list
const FLUSH_MS = 100; // a busy object changes the page no more often
const STATES = { live: ["good", "live"], waiting: ["warn", "connecting"], refused: ["bad", "not live"] };
const TONES = { debug: "", info: "", warning: "warn", error: "bad", critical: "bad" };

/** As Activity, with those before as the host remembers them. */
export function ActivityOf({ which, onEvent, shown }) {
  const before = useCall("events", { ...which, limit: KEPT });
  return html`<${Loaded} of=${before}>${({ events }) => html`
    <${Activity} which=${which} events=${events} onEvent=${onEvent} shown=${shown} />
  `}<//>`;
}

/** `events`: those before. `onEvent` is called with those that have come. `shown`: picks some. */
export function Activity({ which, events, onEvent, shown = (all) => all }) {
  const followed = useFollowed(which, events, onEvent);
  const listed = shown(followed.events);
  const [tone, word] = STATES[followed.state];
  const live = html`<span role="status" class="chips">
    ${followed.dropped > 0 && html`<${Chip} tone="warn">${count(followed.dropped)} left out<//>`}
    <${Chip} tone="${tone} dot">${word}<//>
  </span>`;
  return html`<div>
    <${Section} title="Events" aside=${live}>
      ${followed.error && html`<p class="failure" role="alert">${visible(followed.error.message)}</p>`}
      ${listed.length === 0
        ? html`<${Empty}>Nothing has happened while somebody looked.<//>`
        : html`<div class="scroll" role="region" aria-label="Events, newest first" tabindex="0">
            <${Table} label="Events" heads=${["When", "What", { text: "Took", kind: "number" }]} kind="events">
              ${listed.map((event) => html`<${Event} key=${event.key} event=${event} />`)}
            <//>
          </div>`}
    <//>
    <${Section} title="Log">
      ${followed.log.length === 0
        ? html`<${Empty}>It has logged nothing while somebody looked.<//>`
        : html`<ol class="log scroll" role="log" aria-live="off" aria-label="Log, newest first" tabindex="0">
            ${followed.log.map((line) => html`<li key=${line.key}>
              <time>${clock(line.at_ms)}</time>
              <${Chip} tone=${TONES[line.level] ?? ""}>${line.level}<//>
              <span class="message">${visible(line.message)}</span>
            </li>`)}
          </ol>`}
    <//>
  </div>`;
}

function Event({ event }) {
  return html`<tr>
    <td><time>${clock(event.at_ms)}</time></td>
    <td>
      <${Chip}>${event.kind}<//> ${event.what && event.what !== event.kind && html`<code>${visible(event.what)}</code>`}
      ${event.outcome !== "ok" && html` <${Chip} tone="bad">${visible(event.outcome)}<//>`}
    </td>
    <td class="number">
      ${duration(event.duration_ms)}
      ${event.queued_ms >= 1 && html`<small class="muted">after ${duration(event.queued_ms)}</small>`}
    </td>
  </tr>`;
}

/** Newest first, each with a `key` of its own. */
function useFollowed(which, before, onEvent) {
  const { epoch } = useHost(); // a host that is there again is followed at once
  const number = useRef(0);
  const keyed = (record) => ({ ...record, key: (number.current += 1) });
  const [followed, setFollowed] = useState(() => ({
    state: "waiting", error: null, dropped: 0, events: newestFirst(before).map(keyed), log: [],
  }));
  const heard = useRef(onEvent);
  heard.current = onEvent;
  useEffect(() => {
    const controller = new AbortController();
    let waiting = [];
    let timer;
    const flush = () => {
      timer = undefined;
      const lines = waiting.reverse();
      waiting = [];
      const events = lines.filter((line) => line.event).map((line) => keyed(line.event));
      const log = lines.filter((line) => line.log).map((line) => keyed(line.log));
      setFollowed((was) => ({
        ...was,
        events: [...events, ...was.events].slice(0, KEPT),
        log: [...log, ...was.log].slice(0, KEPT),
      }));
      if (events.length > 0) heard.current(events);
    };
    follow("follow", which, {
      signal: controller.signal,
      onLine(line) {
        if (line.progress) return setFollowed((was) => ({ ...was, dropped: line.progress.dropped }));
        waiting.push(line);
        if (waiting.length > 2 * KEPT) waiting.splice(0, KEPT);
        timer ??= setTimeout(flush, FLUSH_MS);
        return undefined;
      },
      onState: (state, error = null) => setFollowed((was) => ({ ...was, state, error })),
    });
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [JSON.stringify(which), epoch]);
  return followed;
}

const newestFirst = (events) => [...events].sort((a, b) => b.at_ms - a.at_ms).slice(0, KEPT);
