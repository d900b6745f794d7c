//! fake_quantize
