//! `PyTorch`'s files: a pickle that describes tensors, and the storages that they view.
//!
//! ```text
//! zip (torch.save since 1.6)          legacy
//! NAME/data.pkl   the pickle          magic, protocol, system: three pickles
//! NAME/data/KEY   one storage each    the pickle
//! NAME/byteorder  little              list of keys: a pickle
//!                                     per key: u64 element count, elements
//! ```

mod archive;
mod legacy;
mod state;
mod view;

pub(super) use archive::read_zip;
pub(super) use legacy::{lacks_legacy, read_legacy};
