// Keeps the list of orders true: fetches it after each message that something changed, and after each
// connection, since nobody knows what a lost one missed.
const PAUSE = 1500; // Milliseconds. The server is silent for a second after each message (live.py).
let heard; // When the last message came.
let running = false;

const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));

async function refresh() {
  heard = performance.now();
  if (running) return; // Many changes, few requests.
  running = true;
  let covered; // Messages before this time are.
  do {
    await pause(PAUSE + Math.random() * 500);
    covered = performance.now() - PAUSE; // A message stands for the silence after it, too.
    try {
      const response = await fetch(location.href);
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const orders = page.querySelector("#orders");
      if (orders) document.querySelector("#orders").replaceWith(orders);
    } catch {
      covered = 0; // The server is away.
    }
  } while (heard > covered);
  running = false;
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/ws/orders/`);
  socket.onopen = () => {
    document.body.classList.add("live");
    refresh();
  };
  socket.onmessage = refresh;
  socket.onclose = () => {
    document.body.classList.remove("live");
    setTimeout(connect, 1000 + Math.random() * 1000);
  };
}

connect();
// A message may get lost where the channel layer is full or away: ask while an order waits.
setInterval(() => document.querySelector("#orders [data-status=new]") && refresh(), 10000);
