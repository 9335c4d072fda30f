//! What the fuzz targets share: an allocator that refuses, what a user does with a model, and
//! mutations that keep the lengths in a file right.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    fs,
    io::{Cursor, Write},
    ptr,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use fnn_std::{Evaluator, Float, Model, Order, Precision, inspect};
use libfuzzer_sys::fuzzer_mutate;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// Bytes that may be alive at once.
const MOST: usize = 256 << 20;

/// The system's allocator, which gives nothing beyond [`MOST`]: whatever asks for more aborts, and
/// that is a finding, be it freed again or never touched.
struct Refusing;

static ALIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all that is given comes from the system's allocator and goes back to it unchanged;
// `realloc` and `alloc_zeroed` are those that the trait makes from these two.
unsafe impl GlobalAlloc for Refusing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let before = ALIVE.fetch_add(layout.size(), Relaxed);
        if before.saturating_add(layout.size()) > MOST {
            ALIVE.fetch_sub(layout.size(), Relaxed);
            return ptr::null_mut();
        }
        // SAFETY: the caller keeps the promises of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the pointer came from `alloc` above, that is from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Refusing = Refusing;

/// Runs this within a second of the processor. libFuzzer's own limit is that of a clock on the wall,
/// which shows what else the machine does.
pub fn within_a_second(run: impl FnOnce()) {
    let before = processor_time();
    run();
    let time = processor_time().saturating_sub(before);
    assert!(time < Duration::from_secs(1), "it took {time:?}");
}

/// The time that the processor has given to this thread.
fn processor_time() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let first = text.split(' ').next();
    Duration::from_nanos(first.and_then(|ns| ns.parse().ok()).unwrap())
}

/// An archive of these entries, as they are.
pub fn archive(entries: [(&str, &[u8]); 2]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in entries {
        archive.start_file(name, stored).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// Derivatives of a model that are evaluated at most, so that a run stays short.
const MOST_DERIVATIVES: usize = 1 << 14;

/// What a user does with a model once it is read: looks at it, and evaluates it.
pub fn used(model: fnn_std::Result<Model>) {
    let Ok(model) = model else {
        return;
    };
    // A weight may be too large for f32.
    let _ = evaluated::<f32>(&model);
    let _ = evaluated::<f64>(&model);
    // The estimate of instructions takes long, so that only some models are looked at.
    if !(model.parameters() ^ model.inputs() ^ model.outputs()).is_multiple_of(16) {
        return;
    }
    let report = inspect::inspect(model, Precision::F32, Order::Auto).unwrap();
    assert!(!report.to_string().is_empty());
    assert!(report.to_json().is_object());
}

fn evaluated<T: Float>(model: &Model) -> fnn_std::Result<()> {
    let mut evaluator = Evaluator::<T>::new(model)?;
    let (inputs, outputs) = (model.inputs(), model.outputs());
    let x = vec![T::from_f64(0.5); inputs];
    let mut value = vec![T::ZERO; outputs];
    evaluator.value(&x, &mut value).unwrap();
    if inputs * outputs <= MOST_DERIVATIVES {
        let mut jacobian = vec![T::ZERO; inputs * outputs];
        evaluator.evaluate(&x, &mut value, &mut jacobian).unwrap();
    }
    Ok(())
}

/// Sizes that files declare: beside what is ordinary, the widest layer, and where numbers of some
/// width end.
const DECLARED: [u64; 14] = [
    0,
    1,
    3,
    1 << 16,
    (1 << 16) + 1,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    3_000_000_000,
    100_000_000_000,
    1 << 62,
    (1 << 63) - 1,
    u64::MAX,
];

/// Random numbers, one after the other.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % n.max(1)
    }
}

/// The first `size` of these bytes, changed as libFuzzer does.
fn plainly(bytes: &[u8], most: usize) -> Vec<u8> {
    let mut room = bytes.to_vec();
    room.resize(most.max(bytes.len()).max(1), 0);
    let size = fuzzer_mutate(&mut room, bytes.len(), most);
    room.truncate(size);
    room
}

/// A change that keeps the lengths in a file right.
type Change = fn(&[u8], usize, &mut Changes) -> Option<Vec<u8>>;

/// How the files of a parser write a number.
pub type Encoding = fn(u64) -> Vec<u8>;

/// Changes the first `size` bytes of `data` in one of three ways: as libFuzzer does, by `change`, or
/// by a number that files declare, put over what is there or between it.
pub fn mutated(
    data: &mut [u8],
    size: usize,
    most: usize,
    seed: u32,
    change: Change,
    encodings: &[Encoding],
) -> usize {
    let mut changes = Changes(Random(seed.into()));
    let bytes = &data[..size];
    let changed = match changes.0.below(4) {
        0 | 1 => None,
        2 => change(bytes, most, &mut changes),
        _ => {
            let encoding = encodings[changes.0.below(encodings.len())];
            let number = encoding(DECLARED[changes.0.below(DECLARED.len())]);
            let start = changes.0.below(size);
            let over = changes.0.below(2) * number.len();
            let end = (start + over).min(size);
            Some([&bytes[..start], &*number, &bytes[end..]].concat())
        }
    };
    match changed {
        Some(changed) if changed.len() <= most => {
            data[..changed.len()].copy_from_slice(&changed);
            changed.len()
        }
        _ => fuzzer_mutate(data, size, most),
    }
}

/// A number in decimal digits.
pub fn digits(number: u64) -> Vec<u8> {
    number.to_string().into_bytes()
}

/// A number in four bytes, the lowest first.
pub fn four_bytes(number: u64) -> Vec<u8> {
    (number as u32).to_le_bytes().to_vec()
}

/// The same in eight bytes.
pub fn eight_bytes(number: u64) -> Vec<u8> {
    number.to_le_bytes().to_vec()
}

/// A number as protocol buffers write it.
pub fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// What a change draws from.
pub struct Changes(Random);

/// A protocol buffer in which one field, however deep, is changed, and the lengths around it follow.
pub fn message(bytes: &[u8], most: usize, changes: &mut Changes) -> Option<Vec<u8>> {
    let mut fields = fields(bytes)?;
    let at = changes.0.below(fields.len());
    let other = changes.0.below(fields.len());
    let field = fields.get_mut(at)?;
    match (changes.0.below(8), &mut field.content) {
        (0, _) => {
            fields.remove(at);
        }
        (1, _) => {
            let copy = fields[at].clone();
            fields.insert(other, copy);
        }
        (2, _) => fields.swap(at, other),
        (_, Content::Number(number)) => {
            *number = DECLARED[changes.0.below(DECLARED.len())];
        }
        (_, Content::Inside(inside)) => {
            let changed = message(inside, most, changes).filter(|_| !inside.is_empty());
            *inside = changed.unwrap_or_else(|| plainly(inside, inside.len() + 16));
        }
        (_, Content::Plain(plain)) => {
            let last = changes.0.below(plain.len());
            plain[last] ^= 1 << changes.0.below(8);
        }
    }
    let mut made = Vec::new();
    for field in &fields {
        made.extend(varint(field.key));
        match &field.content {
            Content::Number(number) => made.extend(varint(*number)),
            Content::Plain(plain) => made.extend(plain),
            Content::Inside(inside) => {
                made.extend(varint(inside.len() as u64));
                made.extend(inside);
            }
        }
    }
    Some(made)
}

#[derive(Clone)]
struct Field {
    key: u64,
    content: Content,
}

#[derive(Clone)]
enum Content {
    Number(u64),
    /// Four or eight bytes.
    Plain(Vec<u8>),
    /// A message, a text, or numbers.
    Inside(Vec<u8>),
}

/// The fields of a message; `None` where these bytes are none.
fn fields(mut rest: &[u8]) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let key = number(&mut rest)?;
        let length = match key & 7 {
            0 => {
                let content = Content::Number(number(&mut rest)?);
                fields.push(Field { key, content });
                continue;
            }
            1 => 8,
            2 => usize::try_from(number(&mut rest)?).ok()?,
            5 => 4,
            _ => return None,
        };
        let (inside, after) = rest.split_at_checked(length)?;
        rest = after;
        let content = match key & 7 {
            2 => Content::Inside(inside.to_vec()),
            _ => Content::Plain(inside.to_vec()),
        };
        fields.push(Field { key, content });
    }
    Some(fields)
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// A header behind its length of N bytes, as in safetensors files: the header is changed, or what
/// follows, and the length is that of the header again.
pub fn header<const N: usize>(bytes: &[u8], most: usize, changes: &mut Changes) -> Option<Vec<u8>> {
    let (first, rest) = bytes.split_at_checked(N)?;
    let length = first.iter().rev().try_fold(0_usize, |length, &byte| {
        length.checked_mul(256)?.checked_add(byte.into())
    })?;
    let (header, data) = rest.split_at_checked(length)?;
    let (mut header, mut data) = (header.to_vec(), data.to_vec());
    match changes.0.below(4) {
        0 => data = plainly(&data, data.len() + 16),
        1 => header = counted(&header, changes)?,
        _ => header = plainly(&header, most.min(header.len() + 64)),
    }
    Some([&header.len().to_le_bytes()[..N], &*header, &*data].concat())
}

/// Text in which one number has become another one that files declare.
fn counted(text: &[u8], changes: &mut Changes) -> Option<Vec<u8>> {
    let is_start = |at: &usize| {
        text[*at].is_ascii_digit() && !at.checked_sub(1).is_some_and(|b| text[b].is_ascii_digit())
    };
    let starts: Vec<usize> = (0..text.len()).filter(is_start).collect();
    let start = *starts.get(changes.0.below(starts.len()))?;
    let digits = text[start..].iter().take_while(|c| c.is_ascii_digit());
    let end = start + digits.count();
    let number = DECLARED[changes.0.below(DECLARED.len())].to_string();
    Some([&text[..start], number.as_bytes(), &text[end..]].concat())
}

/// The same for whole text.
pub fn text(bytes: &[u8], _most: usize, changes: &mut Changes) -> Option<Vec<u8>> {
    counted(bytes, changes)
}
