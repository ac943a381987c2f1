//! The event of the benchmarks: an order, as JSON of a given size and as a type.

use nodeback::json;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, Serialize)]
pub(crate) struct Order {
    id: String,
    paid: bool,
    items: Vec<Item>,
}

#[derive(Deserialize, Serialize)]
struct Item {
    sku: String,
    count: u32,
    price: f64,
    note: String,
}

/// Returns the JSON of an order with as many items as fit into about `size` bytes.
pub(crate) fn event(size: usize) -> Vec<u8> {
    let item = json!({ "sku": "tea-0042", "count": 3, "price": 4.25, "note": "a gift, żółć" });
    let room = size.saturating_sub(40) / item.to_string().len();
    let items: Vec<_> = (0..room).map(|_| item.clone()).collect();
    json!({ "id": "order-7", "paid": true, "items": items })
        .to_string()
        .into()
}
