// The WebSockets of one object.
import { visible } from "./format.js";
import { html } from "./html.js";
import { Chip, Section, Table, Text } from "./widgets.js";

export function Sockets({ sockets }) {
  if (sockets.length === 0) return null;
  return html`<${Section} title="Sockets">
    <${Table} label="Sockets" heads=${["Tags", "Attachment"]}>
      ${sockets.map((socket, at) => html`<tr key=${at}>
        <td>
          <span class="chips">
            ${socket.hibernated && html`<${Chip}>hibernates<//>`}
            ${socket.tags.map((tag) => html`<${Chip} tone="good"><${Text} of=${tag} /><//>`)}
          </span>
          <small class="muted"><${Text} of=${socket.url ?? ""} /></small>
        </td>
        <td>${socket.attachment == null ? "" : html`<code class="value">${visible(socket.attachment)}</code>`}</td>
      </tr>`)}
    <//>
  <//>`;
}
