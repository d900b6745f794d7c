//! Mutations: what damages, other programs and enemies do to files.

/// Numbers by chance (splitmix64), the same for the same seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Numbers that texts are given.
const NUMBERS: [&str; 18] = [
    "0",
    "-1",
    "-0",
    "1e999",
    "-1e999",
    "1e308",
    "-1e308",
    "1e-400",
    "NaN",
    "Infinity",
    "nan",
    "inf",
    "18446744073709551615",
    "18446744073709551616",
    "9223372036854775808",
    "4294967296",
    "0.5",
    "true",
];
/// Integers at the edges of types.
const EDGES: [u64; 12] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 62,
    i64::MAX as u64,
    u64::MAX,
];
/// Pieces that steer terminals, turn the direction of writing, end strings or begin other formats.
const PIECES: [&[u8]; 24] = [
    b"\x1b[2J",
    b"\x1b]0;x\x07",
    "\u{202e}".as_bytes(),
    "\u{2067}".as_bytes(),
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\r",
    b"\r\n",
    b"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\\",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"\x80\x02",
    b"=1+1",
    b"null",
    b",",
    b"=",
    b"'''",
    b"#",
];
/// Pieces that nest.
const NESTED: [&[u8]; 6] = [b"[", b"{\"a\":", b"(", b"]", b"}", b"h\0"];
/// Opcodes of pickles.
const OPCODES: &[u8] = b"(.0123]})}lteasubqrhjcQRNJKMGXTBUC\x80\x81\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x92\x93\x94\x95";

/// A file with one to four mutations; `other` is a file that pieces are taken from.
pub fn mutated(content: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    if random.below(3) == 0
        && let Some(mended) = safetensors(content, random)
    {
        return mended;
    }
    let mut bytes = content.to_vec();
    for _ in 0..=random.below(4) {
        step(&mut bytes, other, random);
    }
    bytes
}

fn step(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = near(bytes, random);
    match random.below(12) {
        0 => flip(bytes, random),
        1 => bytes.truncate(random.below(bytes.len() + 1)),
        2 => {
            let end = (at + 1 + random.below(64)).min(bytes.len());
            bytes.drain(at.min(end)..end);
        }
        3 => {
            let end = (at + 1 + random.below(4096)).min(bytes.len());
            let piece = bytes[at.min(end)..end].to_vec();
            insert(bytes, at, &piece);
        }
        4 => {
            let from = random.below(other.len() + 1);
            let end = (from + 1 + random.below(512)).min(other.len());
            insert(bytes, at, &other[from.min(end)..end]);
        }
        5 => edge(bytes, at, random),
        6 | 7 => number(bytes, at, random),
        8 => insert(bytes, at, PIECES[random.below(PIECES.len())]),
        9 => {
            let nested = NESTED[random.below(NESTED.len())];
            let times = 1 << random.below(16);
            insert(bytes, at, &nested.repeat(times));
        }
        10 => {
            let codes: Vec<u8> = (0..=random.below(6))
                .map(|_| *random.pick(OPCODES))
                .collect();
            insert(bytes, at, &codes);
        }
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = random.next() as u8;
            }
        }
    }
}

/// A place, half of the time near the beginning or the end, where formats keep what they are.
fn near(bytes: &[u8], random: &mut Random) -> usize {
    let length = bytes.len() + 1;
    match random.below(4) {
        0 => random.below(length.min(64)),
        1 => length - 1 - random.below(length.min(64)),
        2 => random.below(length.min(16 << 10)),
        _ => random.below(length),
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    bytes.splice(at..at, piece.iter().copied());
}

fn flip(bytes: &mut [u8], random: &mut Random) {
    for _ in 0..=random.below(8) {
        let at = near(bytes, random);
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << random.below(8);
        }
    }
}

/// An integer at the edge of a type, of 1 to 8 bytes, in either order.
fn edge(bytes: &mut [u8], at: usize, random: &mut Random) {
    let number = random.pick(&EDGES).wrapping_sub(random.below(2) as u64);
    let size = 1 << random.below(4);
    let little = number.to_le_bytes();
    let mut piece = little[..size].to_vec();
    if random.below(2) == 0 {
        piece.reverse();
    }
    if let Some(place) = bytes.get_mut(at..at + size) {
        place.copy_from_slice(&piece);
    }
}

/// Another number in place of the digits behind a place.
fn number(bytes: &mut Vec<u8>, at: usize, random: &mut Random) {
    let Some(start) = bytes[at.min(bytes.len())..]
        .iter()
        .position(u8::is_ascii_digit)
    else {
        return;
    };
    let start = at + start;
    let is_digit = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let length = bytes[start..].iter().position(|byte| !is_digit(byte));
    let end = length.map_or(bytes.len(), |length| start + length);
    let long = "9".repeat(400);
    let number = match random.below(NUMBERS.len() + 1) {
        place if place < NUMBERS.len() => NUMBERS[place],
        _ => &long,
    };
    bytes.splice(start..end, number.bytes());
}

/// A safetensors file with a mutated header whose length is mended.
fn safetensors(content: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let (length, rest) = content.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    if rest.first() != Some(&b'{') || length > rest.len() {
        return None;
    }
    let mut header = rest[..length].to_vec();
    for _ in 0..=random.below(3) {
        let other = header.clone();
        step(&mut header, &other, random);
    }
    let length = (header.len() as u64).to_le_bytes();
    Some(
        [
            &length[..],
            &header,
            &rest[rest
                .len()
                .min(usize::from_le_bytes(content[..8].try_into().ok()?))..],
        ]
        .concat(),
    )
}
