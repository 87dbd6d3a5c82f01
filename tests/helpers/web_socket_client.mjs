// An independent client, npm's `ws`: it does what a script on stdin says, and prints what happened.
import WebSocket from "ws";

const { url, protocols, steps } = JSON.parse(await new Response(process.stdin).text());
const events = [];
const ws = new WebSocket(url, protocols, { perMessageDeflate: true, maxPayload: 64 * 1024 * 1024 });
const queue = [];
let wake = () => {};
const put = (event) => { queue.push(event); wake(); };
ws.on("open", () => put(["open", ws.protocol, ws.extensions]));
ws.on("message", (data, binary) => put(["message", binary ? data.toString("base64") : data.toString(), binary]));
ws.on("pong", (data) => put(["pong", data.toString()]));
ws.on("close", (code, reason) => put(["close", code, reason.toString()]));
ws.on("error", (error) => put(["error", error.message]));

const next = async () => {
  while (queue.length === 0) await new Promise((resolve) => { wake = resolve; });
  return queue.shift();
};

const actions = {
  text: ({ value }) => ws.send(value),
  binary: ({ value }) => ws.send(Buffer.from(value, "base64")),
  big: ({ bytes }) => ws.send(Buffer.alloc(bytes)),
  fragments: ({ parts }) => parts.forEach((part, i) => ws.send(part, { fin: i === parts.length - 1 })),
  ping: ({ value }) => ws.ping(value),
  close: ({ code, reason }) => ws.close(code, reason),
  async expect({ kind }) {
    for (;;) {
      const event = await next();
      if (event[0] === "message" && event[1].length > 1000) event[1] = `${event[1].length} characters`;
      events.push(event);
      if (event[0] === kind || event[0] === "close") return;
    }
  },
};

for (const step of steps) await actions[step.do](step);
process.stdout.write(JSON.stringify(events));
process.exit(0);
