// Socket.IO as it is published, on a free port of 127.0.0.1: it says which, as a line of JSON, and
// ends with its input. A socket joins the room that its query names; a message goes to all of it.

import http from "node:http";
import { Server } from "socket.io";

const server = http.createServer();
const io = new Server(server, { transports: ["websocket"] });

io.on("connection", (socket) => {
  const { room } = socket.handshake.query;
  socket.join(room);
  socket.on("message", (text) => io.to(room).emit("message", text));
});
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));

process.stdin.resume();
process.stdin.on("end", () => process.exit());
