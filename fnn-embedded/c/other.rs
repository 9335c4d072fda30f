//! A library for C that another Rust project made, with all of the standard library in it.

/// The sum of the numbers below `count`, by a thread.
#[unsafe(no_mangle)]
pub extern "C" fn other_sum(count: i32) -> i32 {
    let numbers: Vec<i32> = (0..count).collect();
    let thread = std::thread::spawn(move || numbers[numbers.len() / 2] * 0 + numbers.iter().sum::<i32>());
    thread.join().expect("the thread ends")
}
