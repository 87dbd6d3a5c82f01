// The objects of one set, with search, filters and pages.
import { bytes, count } from "./format.js";
import { html } from "./html.js";
import { useCall, useEvery } from "./load.js";
import { hrefOf, replaceQuery } from "./route.js";
import { SearchField } from "./search_field.js";
import { Chip, Empty, Loaded, Table, Text, When } from "./widgets.js";

const PAGE = 50;
const REFRESH_MS = 5_000;
const FILTERS = { resident: "In memory", alarm: "With an alarm", sockets: "With sockets" };

export function ObjectsView({ route }) {
  const { namespace, query } = route;
  const input = { binding: namespace, limit: PAGE };
  if (query.contains) input.contains = query.contains;
  if (query.after) input.after = query.after;
  for (const filter of Object.keys(FILTERS)) if (query[filter]) input[filter] = true;
  const objects = useCall("objects", input);
  useEvery(REFRESH_MS, objects.reload);
  return html`
    <h1><${Text} of=${namespace} /></h1>
    <${Filters} route=${route} />
    <${Loaded} of=${objects}>${(data) => html`<${Rows} data=${data} route=${route} />`}<//>
  `;
}

function Filters({ route }) {
  const { query } = route;
  const change = (changes) => replaceQuery(route, { ...query, after: "", ...changes });
  return html`<search><form class="filters" onSubmit=${(event) => event.preventDefault()}>
    <${SearchField} label="Name contains" value=${query.contains} onSearch=${(contains) => change({ contains })} />
    ${Object.entries(FILTERS).map(([filter, label]) => html`<label>
      <input type="checkbox" checked=${Boolean(query[filter])}
        onChange=${(event) => change({ [filter]: event.currentTarget.checked ? "1" : "" })} />
      ${label}
    </label>`)}
  </form></search>`;
}

function Rows({ data, route }) {
  const { namespace, query } = route;
  if (data.objects.length === 0) {
    const filtered = Object.values(query).some(Boolean);
    return html`
      <${Empty}>${filtered ? "No object here is like that." : "There are no objects yet."}<//>
      <${Pages} data=${data} route=${route} />
    `;
  }
  const heads = ["Object", { text: "Keys", kind: "number" }, { text: "Size", kind: "number" }];
  return html`
    <${Table} label="Objects" heads=${heads}>
      ${data.objects.map((object) => html`<tr key=${object.id}>
        <th scope="row">
          <a class="name" href=${hrefOf({ namespace, name: object.name, id: object.id })}>
            ${object.name == null ? html`<code>${object.id.slice(0, 16)}…</code>` : html`<${Text} of=${object.name} />`}
          </a>
          <${Marks} object=${object} />
        </th>
        <td class="number">${count(object.keys)}${object.more_keys ? "+" : ""}</td>
        <td class="number">${bytes(object.bytes)}</td>
      </tr>`)}
    <//>
    <${Pages} data=${data} route=${route} />
  `;
}

function Pages({ data, route: { namespace, query } }) {
  if (!data.after && !query.after) return null;
  return html`<nav class="pages" aria-label="Pages">
    ${query.after && html`<a href=${hrefOf({ namespace, query: { ...query, after: "" } })}>First page</a>`}
    ${data.after && html`<a href=${hrefOf({ namespace, query: { ...query, after: data.after } })}>Next page</a>`}
  </nav>`;
}

/** What is so at this moment: in memory, an alarm, sockets. */
export const Marks = ({ object }) => html`<span class="chips">
  ${object.resident && html`<${Chip} tone="good">in memory<//>`}
  ${object.alarm_ms != null && html`<${Chip} tone="warn">alarm <${When} ms=${object.alarm_ms} /><//>`}
  ${object.sockets > 0 && html`<${Chip}>${count(object.sockets)} ${object.sockets === 1 ? "socket" : "sockets"}<//>`}
</span>`;
