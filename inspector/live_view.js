// The whole host now: figures, their last minutes, and what it hosts.
import { Chart } from "./chart.js";
import { bytes, count, duration, visible } from "./format.js";
import { html } from "./html.js";
import { useHost } from "./load.js";
import { hrefOf } from "./route.js";
import { useSamples } from "./samples.js";
import { Empty, Failure, Section, Table, Text, When } from "./widgets.js";

const rate = (number) => `${number < 9.95 ? Number(number.toFixed(1)) : count(number)}/s`;

export function LiveView() {
  const { host } = useHost();
  const { samples, error } = useSamples();
  const last = samples.at(-1);
  return html`
    <h1><${Text} of=${host.name} /></h1>
    <p class="muted">Version ${host.version}, started <${When} ms=${host.started_ms} />, data in <code title=${visible(host.data_dir)}><${Text} of=${host.data_dir.split("/").at(-1)} /></code></p>
    ${error && error.status !== 0 && html`<${Failure} error=${error} />`}
    ${last ? html`<${Tiles} of=${last} /><${Charts} samples=${samples} />` : html`<${Empty}>No figures yet.<//>`}
    <${Bindings} of=${host.bindings} />
  `;
}

function Tiles({ of }) {
  const tile = (name, value) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
  return html`<dl class="tiles">
    ${tile("Events", rate(of.events_per_second))}
    ${tile("Median latency", duration(of.p50_ms))}
    ${tile("p99 latency", duration(of.p99_ms))}
    ${tile("In memory", count(of.resident))}
    ${tile("Sockets", count(of.sockets))}
    ${tile("Writes in a commit", Number(of.group_size.toFixed(1)))}
  </dl>`;
}

function Charts({ samples }) {
  const times = samples.map((sample) => sample.at_ms / 1000);
  const line = (label, field) => ({ label, values: samples.map((sample) => sample[field]) });
  return html`<div class="charts">
    <${Chart} title="Throughput" times=${times} format=${rate}
      lines=${[line("events", "events_per_second"), line("commits", "commits_per_second")]} />
    <${Chart} title="Latency" times=${times} format=${duration}
      lines=${[line("p99", "p99_ms"), line("median", "p50_ms")]} />
    <${Chart} title="Memory" times=${times} format=${bytes} lines=${[line("resident", "memory_bytes")]} />
  </div>`;
}

function Bindings({ of }) {
  const heads = ["Binding", "Class", { text: "Objects", kind: "number" }, { text: "In memory", kind: "number" }, { text: "Sockets", kind: "number" }];
  return html`<${Section} title="Bindings">
    <${Table} label="Bindings" heads=${heads}>
      ${of.map((binding) => html`<tr key=${binding.binding}>
        <th scope="row"><a href=${hrefOf({ namespace: binding.namespaces[0] })}><${Text} of=${binding.binding} /></a></th>
        <td><${Text} of=${binding.class_name ?? `module ${binding.kind}`} /></td>
        <td class="number">${count(binding.objects)}${binding.more_objects ? "+" : ""}</td>
        <td class="number">${count(binding.resident)}</td>
        <td class="number">${count(binding.sockets)}</td>
      </tr>`)}
    <//>
  <//>`;
}
