//! The same for JavaScript: functions over plain numbers, which take no glue.

use crate::{Addresses, Tables, Transfers};
use core::cell::RefCell;
use wasm_bindgen::prelude::wasm_bindgen;

thread_local! {
    static TABLES: RefCell<Option<Tables>> = const { RefCell::new(None) };
    static ADDRESSES: RefCell<Option<Addresses>> = const { RefCell::new(None) };
    static TRANSFERS: RefCell<Option<Transfers>> = const { RefCell::new(None) };
}

macro_rules! with {
    ($cell:ident, $name:ident => $body:expr) => {
        $cell.with_borrow_mut(|$name| {
            let $name = $name.as_mut().expect("it was made");
            $body
        })
    };
}

/// See [`Tables::new`]. What was there before is gone.
#[wasm_bindgen]
pub fn tables_new(bytes: u32) {
    TABLES.set(None);
    TABLES.set(Some(Tables::new(bytes as usize)));
}

/// See [`Tables::map`].
#[wasm_bindgen]
pub fn tables_map(page: u32, pages: u32) {
    with!(TABLES, tables => tables.map(page, pages));
}

/// See [`Tables::unmap`].
#[wasm_bindgen]
pub fn tables_unmap(page: u32, pages: u32) -> u32 {
    with!(TABLES, tables => tables.unmap(page, pages))
}

/// See [`Tables::translate`].
#[wasm_bindgen]
pub fn tables_translate(page: u32) -> u32 {
    with!(TABLES, tables => tables.translate(page))
}

/// See [`Tables::bytes`].
#[wasm_bindgen]
pub fn tables_bytes() -> u32 {
    with!(TABLES, tables => tables.bytes())
}

/// See [`Addresses::new`]. What was there before is gone.
#[wasm_bindgen]
pub fn addresses_new(count: u32) {
    ADDRESSES.set(None);
    ADDRESSES.set(Some(Addresses::new(count)));
}

/// See [`Addresses::allocate`].
#[wasm_bindgen]
pub fn addresses_allocate(pages: u32) -> u32 {
    with!(ADDRESSES, addresses => addresses.allocate(pages))
}

/// See [`Addresses::free`].
#[wasm_bindgen]
pub fn addresses_free(page: u32) {
    with!(ADDRESSES, addresses => addresses.free(page));
}

/// See [`Addresses::draw`].
#[wasm_bindgen]
pub fn addresses_draw(count: u32) {
    with!(ADDRESSES, addresses => addresses.draw(count));
}

/// See [`Addresses::replace`].
#[wasm_bindgen]
pub fn addresses_replace() {
    with!(ADDRESSES, addresses => addresses.replace());
}

/// See [`Transfers::scattered`]. What was there before is gone.
#[wasm_bindgen]
pub fn transfers_new(pages: u32) {
    TRANSFERS.set(None);
    TRANSFERS.set(Some(Transfers::scattered(pages)));
}

/// See [`Transfers::read`].
#[wasm_bindgen]
pub fn transfers_read(page: u32, length: u32) {
    with!(TRANSFERS, transfers => transfers.read(page, length));
}

/// See [`Transfers::copy`].
#[wasm_bindgen]
pub fn transfers_copy(length: u32) {
    with!(TRANSFERS, transfers => transfers.copy(length));
}
