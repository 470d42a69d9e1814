// Keeps the list of orders up to date; reconnects after a lost connection.
const rows = document.querySelector("#orders");

function show(order) {
  let row = rows.querySelector(`[data-id="${order.id}"]`);
  if (!row) {
    row = rows.insertRow(0);
    row.dataset.id = order.id;
    for (let column = 0; column < 4; column += 1) row.insertCell();
  }
  [order.id, order.product, order.quantity, order.status].forEach((value, column) => {
    row.cells[column].textContent = value;
  });
  document.querySelector("#empty")?.remove();
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/ws/orders/`);
  socket.onopen = () => document.body.classList.add("live");
  socket.onmessage = (event) => show(JSON.parse(event.data));
  socket.onclose = () => {
    document.body.classList.remove("live");
    setTimeout(connect, 1000);
  };
}

connect();
