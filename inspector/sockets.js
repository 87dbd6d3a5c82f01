// The WebSockets of one object.
import { count, visible } from "./format.js";
import { html } from "./html.js";
import { Chip, Section, Table, Text } from "./widgets.js";

const ORIGIN = /^[a-z]+:\/\/[^/]*/;

/** `total`: of all, of which these are the first. */
export function Sockets({ sockets, total }) {
  if (sockets.length === 0) return null;
  const aside = html`<small class="muted">${total > sockets.length ? `the first ${sockets.length} of ` : ""}${count(total)}</small>`;
  return html`<${Section} title="Sockets" aside=${aside}>
    <${Table} label="Sockets" heads=${["Tags", "Attachment"]}>
      ${sockets.map((socket, at) => html`<tr key=${at}>
        <td>
          <span class="chips">
            ${socket.hibernating && html`<${Chip}>hibernates<//>`}
            ${socket.tags.map((tag) => html`<${Chip} tone="good"><${Text} of=${tag} /><//>`)}
          </span>
          ${socket.url && html`<small class="muted"><${Text} of=${socket.url.replace(ORIGIN, "")} /></small>`}
        </td>
        <td>${socket.attachment == null ? "" : html`<code class="value">${visible(socket.attachment)}</code>`}</td>
      </tr>`)}
    <//>
  <//>`;
}
