//! What can be computed from the file alone: shape arithmetic, paddings, bounds, biases of zeros,
//! weights that were stored in another form. Every result is counted before memory is taken.

mod arithmetic;
mod indexing;
mod layout;
mod quantized;

pub(crate) use arithmetic::{
    Compare, Number, Reduction, between, binary, broadcast_shape, cast, compare, range, reduce,
    select, unary, with_two,
};
pub(crate) use indexing::{Cut, concat, cut_places, gather, slice, split};
pub(crate) use layout::{expand, filled, order, permuted, resized, squeezed, tiled, unsqueezed};
pub(crate) use quantized::{Steps, dequantized};
