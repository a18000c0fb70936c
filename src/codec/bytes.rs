//! Numbers, texts and arrays as Avro has them, taken from bytes and appended to bytes.

/// Why bytes are not a record of the schema they claim.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// They end in the middle.
    #[error("it ends in the middle")]
    CutOff,
    /// A number takes more bytes than its type allows.
    #[error("a number is out of range")]
    Number,
    /// A length or count is below zero, or more than there are bytes left, or than the field may have.
    #[error("a length is out of range")]
    Length,
    /// A union has no such branch.
    #[error("a union has no such branch")]
    Branch,
    /// A text is not UTF-8.
    #[error("a text is not UTF-8")]
    Utf8,
    /// A boolean is neither 0 nor 1.
    #[error("a boolean is neither 0 nor 1")]
    Boolean,
    /// An enum has no such symbol, or one that only a newer Lockstep knows.
    #[error("{0} has no such symbol")]
    Symbol(&'static str),
    /// Its kind is one that only a newer Lockstep knows.
    #[error("its kind {0} is not known")]
    Kind(String),
    /// It was written by a newer engine version.
    #[error("it was written by engine version {0}")]
    NewerEngine(u16),
    /// There is more after its end.
    #[error("there are {0} bytes after its end")]
    Trailing(usize),
    /// A value that its type allows and its meaning does not.
    #[error("{0}")]
    Value(&'static str),
}

/// What is left to be read of a record.
#[derive(Clone, Copy, Debug)]
#[allow(unreachable_pub, reason = "in the bounds of `Record`, which nobody outside implements")]
pub struct Input<'b>(pub(super) &'b [u8]);

impl<'b> Input<'b> {
    #[inline]
    pub(super) fn bytes(&mut self, length: usize) -> Result<&'b [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed::CutOff)?;
        self.0 = rest;
        Ok(taken)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed::CutOff)?;
        self.0 = rest;
        Ok(*taken)
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// A `long`.
    #[inline]
    pub(super) fn long(&mut self) -> Result<i64, Malformed> {
        let number = match self.0 {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.0 = rest;
                u64::from(*byte)
            }
            [a, b, c, d, e, f, g, h, ..] => {
                let bytes = u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
                let last = !bytes & MORE;
                if last == 0 {
                    return self.longest();
                }
                // Up to and with the first byte that no other follows.
                let length = last.trailing_zeros() / 8 + 1;
                self.0 = self.0.get(length as usize..).unwrap_or_default();
                gather(bytes & !MORE & u64::MAX >> (64 - 8 * length))
            }
            _ => return self.longest(),
        };
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// A `long` byte by byte: where it is very long, or the end is near.
    #[cold]
    fn longest(&mut self) -> Result<i64, Malformed> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                return Err(Malformed::Number);
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok((number >> 1) as i64 ^ -((number & 1) as i64));
            }
        }
        Err(Malformed::Number)
    }

    /// A length that fits into what is left.
    fn length(&mut self) -> Result<usize, Malformed> {
        let length = usize::try_from(self.long()?).map_err(|_| Malformed::Length)?;
        if length > self.0.len() { Err(Malformed::Length) } else { Ok(length) }
    }

    pub(super) fn text(&mut self) -> Result<&'b str, Malformed> {
        let length = self.length()?;
        std::str::from_utf8(self.bytes(length)?).map_err(|_| Malformed::Utf8)
    }

    /// Whether the second branch of a union of null and something is there.
    #[inline]
    pub(super) fn is_some(&mut self) -> Result<bool, Malformed> {
        match self.0 {
            [0, rest @ ..] => {
                self.0 = rest;
                Ok(false)
            }
            [2, rest @ ..] => {
                self.0 = rest;
                Ok(true)
            }
            _ => self.is_some_at_length(),
        }
    }

    /// A number may be written with more bytes than it takes.
    #[cold]
    fn is_some_at_length(&mut self) -> Result<bool, Malformed> {
        match self.long()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed::Branch),
        }
    }

    /// The items of an array; no more than `most`.
    pub(super) fn items(
        &mut self,
        most: usize,
        mut item: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let mut left = most;
        loop {
            let mut count = self.long()?;
            if count < 0 {
                // A block that tells its size in bytes too.
                count = count.checked_neg().ok_or(Malformed::Length)?;
                self.long()?;
            }
            if count == 0 {
                return Ok(());
            }
            let count = usize::try_from(count).map_err(|_| Malformed::Length)?;
            left = left.checked_sub(count).ok_or(Malformed::Length)?;
            for _ in 0..count {
                item(self)?;
            }
        }
    }
}

/// Where a record is written to. What does not fit is counted, so that it can be written anew where it does: nothing
/// is called that could make a larger place, so the compiler keeps all this in registers.
#[derive(Debug)]
#[allow(unreachable_pub, reason = "in the bounds of `Record`, which nobody outside implements")]
pub struct Output<'o> {
    place: &'o mut [u8],
    pub(super) written: usize,
}

impl<'o> Output<'o> {
    pub(super) const fn new(place: &'o mut [u8]) -> Self {
        Output { place, written: 0 }
    }

    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        if let Some(slot) = self.place.get_mut(self.written) {
            *slot = byte;
        }
        self.written += 1;
    }

    #[inline]
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        let end = self.written + bytes.len();
        if let Some(slots) = self.place.get_mut(self.written..end) {
            slots.copy_from_slice(bytes);
        }
        self.written = end;
    }

    /// All of these bytes, whose number is known.
    #[inline]
    pub(super) fn array<const N: usize>(&mut self, bytes: &[u8; N]) {
        if let Some(slots) = self.place.get_mut(self.written..self.written + N) {
            slots.copy_from_slice(bytes);
        }
        self.written += N;
    }

    /// The first ones of these bytes. To copy all of them is faster than to count.
    #[inline]
    pub(super) fn first_of<const N: usize>(&mut self, bytes: &[u8; N], length: usize) {
        match self.place.get_mut(self.written..self.written + N) {
            Some(slots) => {
                slots.copy_from_slice(bytes);
                self.written += length;
            }
            None => bytes.iter().take(length).for_each(|byte| self.byte(*byte)),
        }
    }
}

/// The low 56 bits in eight bytes of seven bits each, the lowest first.
const fn spread(number: u64) -> u64 {
    let number = number & 0x0fff_ffff | (number & 0x00ff_ffff_f000_0000) << 4;
    let number = number & 0x0000_3fff_0000_3fff | (number & 0x0fff_c000_0fff_c000) << 2;
    number & 0x007f_007f_007f_007f | (number & 0x3f80_3f80_3f80_3f80) << 1
}

/// What [`spread`] made eight bytes of.
const fn gather(bytes: u64) -> u64 {
    let number = bytes & 0x007f_007f_007f_007f | (bytes & 0x7f00_7f00_7f00_7f00) >> 1;
    let number = number & 0x0000_3fff_0000_3fff | (number & 0x3fff_0000_3fff_0000) >> 2;
    number & 0x0fff_ffff | (number & 0x0fff_ffff_0000_0000) >> 4
}

/// The bit of each byte that says that another follows.
const MORE: u64 = 0x8080_8080_8080_8080;

/// For each highest bit how many bytes a number takes, and the bits that say that others follow.
const LENGTHS: [(usize, u64); 56] = {
    let mut lengths = [(0, 0); 56];
    let mut rest: &mut [(usize, u64)] = &mut lengths;
    while let Some((last, before)) = rest.split_last_mut() {
        let length = before.len() / 7 + 1;
        *last = (length, MORE & !(u64::MAX << (8 * (length - 1))));
        rest = before;
    }
    lengths
};

/// Appends a `long`.
#[inline]
pub(super) fn put_long(number: i64, out: &mut Output<'_>) {
    let rest = (number << 1 ^ number >> 63) as u64;
    if rest < 0x80 {
        out.byte(rest as u8);
    } else if rest < 1 << 56 {
        let (length, followed) = LENGTHS.get(rest.ilog2() as usize).copied().unwrap_or_default();
        out.first_of(&(spread(rest) | followed).to_le_bytes(), length);
    } else {
        put_longest(rest, out);
    }
}

#[cold]
fn put_longest(mut rest: u64, out: &mut Output<'_>) {
    while rest >= 0x80 {
        out.byte(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.byte(rest as u8);
}

/// Appends a text.
#[inline]
pub(super) fn put_text(text: &[u8], out: &mut Output<'_>) {
    put_long(text.len() as i64, out);
    out.bytes(text);
}
