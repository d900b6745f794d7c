//! Codes of 2 to 8 bits, one after another without gaps.
//!
//! Bit j of the stream is bit `j % 8` (counted from the least significant) of byte `j / 8`; value k
//! occupies bits `k * b .. (k + 1) * b`, least significant bit first, in two's complement. The last
//! byte is filled up with zeros.

/// Bytes of `count` codes.
pub(super) const fn packed_len(count: usize, bits: u8) -> usize {
    (count * bits as usize).div_ceil(8)
}

/// Packs codes; each fits into `bits` bits.
pub(super) fn pack(codes: &[i8], bits: u8) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(packed_len(codes.len(), bits));
    let (mut pending, mut filled) = (0_u32, 0);
    for &code in codes {
        pending |= u32::from(code.cast_unsigned() & mask(bits)) << filled;
        filled += bits;
        while filled >= 8 {
            bytes.push(pending.to_le_bytes()[0]);
            pending >>= 8;
            filled -= 8;
        }
    }
    if filled > 0 {
        bytes.push(pending.to_le_bytes()[0]);
    }
    bytes
}

/// Unpacks `count` codes; `bytes` holds at least [`packed_len`] of them.
pub(super) fn unpack(bytes: &[u8], bits: u8, count: usize) -> Vec<i8> {
    let (mut pending, mut filled) = (0_u32, 0);
    let mut bytes = bytes.iter();
    let mut next = || {
        while filled < bits {
            let byte = bytes.next().copied().unwrap_or(0);
            pending |= u32::from(byte) << filled;
            filled += 8;
        }
        let code = pending.to_le_bytes()[0] & mask(bits);
        pending >>= bits;
        filled -= bits;
        // The sign bit moves up to bit 7 and back down, dragging copies of itself.
        (code << (8 - bits)).cast_signed() >> (8 - bits)
    };
    (0..count).map(|_| next()).collect()
}

const fn mask(bits: u8) -> u8 {
    u8::MAX >> (8 - bits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_layout_is_the_documented_one() {
        // 3 bits: 1 = 001, -1 = 111, 2 = 010, -3 = 101; from bit 0 on: 100 111 010 101.
        assert_eq!(pack(&[1, -1, 2, -3], 3), [0b1011_1001, 0b0000_1010]);
        assert_eq!(pack(&[1, -1], 8), [1, 255]);
        assert_eq!(packed_len(3, 3), 2);
    }

    proptest! {
        #[test]
        fn what_is_packed_unpacks(bits in 2_u8..=8, codes in prop::collection::vec(any::<i8>(), 0..99)) {
            let codes: Vec<i8> = codes.iter().map(|code| code >> (8 - bits)).collect();
            let bytes = pack(&codes, bits);
            prop_assert_eq!(bytes.len(), packed_len(codes.len(), bits));
            prop_assert_eq!(unpack(&bytes, bits, codes.len()), codes);
        }
    }
}
