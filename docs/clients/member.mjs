// Say one line in a channel and print the answers: node member.mjs URL NAME CHANNEL TEXT   (Node 22 or any browser)

const [url, name, channel_id, text] = process.argv.slice(2);
const socket = new WebSocket(url);
const waiting = new Map();

function ask(type, body) {
  const request_id = crypto.randomUUID();
  socket.send(JSON.stringify({ type, request_id, body }));
  return new Promise((resolve, reject) => waiting.set(request_id, { resolve, reject }));
}

socket.onmessage = ({ data }) => {
  const { type, request_id, body } = JSON.parse(data);
  if (type === "message_down") console.log(body.sender_name || "service", "|", body.content.text);
  if (type === "history" || !waiting.has(request_id)) return;
  const { resolve, reject } = waiting.get(request_id);
  if (type === "error" || body.ok === false) reject(new Error(body.message));
  else resolve(body);
};

socket.onopen = async () => {
  await ask("hello", { name }); // keep the token in the answer to come back as the same person
  await ask("join", { channel_id });
  await ask("message_up", { channel_id, content: { text } });
  socket.close();
};
