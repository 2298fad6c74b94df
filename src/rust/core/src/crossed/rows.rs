//! Passes over the reduced rows, for right-hand sides of any small width.

/// Call a function that is generic in the width of a row with that width as a constant where it is small (0: any).
macro_rules! with_width {
    ($c:expr, $function:ident ( $($argument:expr),* )) => {
        match $c {
            1 => $function::<1>($($argument),*),
            2 => $function::<2>($($argument),*),
            3 => $function::<3>($($argument),*),
            4 => $function::<4>($($argument),*),
            _ => $function::<0>($($argument),*),
        }
    };
}

pub(super) use with_width;

/// Columns of Z of consecutive rows: `q` numbers for each, and where the effects of its level stand.
pub struct Band<'a> {
    pub q: usize,
    pub z: &'a [f64],
    pub at: &'a [u32],
}

/// `out -= Z b` for rows of width `c`; `b` holds all effects, row by row.
pub fn subtract(band: &Band<'_>, b: &[f64], c: usize, out: &mut [f64]) {
    with_width!(c, subtract_of(band, b, c, out))
}

fn subtract_of<const C: usize>(band: &Band<'_>, b: &[f64], c: usize, out: &mut [f64]) {
    let c = if C > 0 { C } else { c };
    let rows = out.chunks_exact_mut(c).zip(band.z.chunks_exact(band.q));
    for ((out, z), at) in rows.zip(band.at) {
        let effects = &b[*at as usize * c..(*at as usize + band.q) * c];
        for (z, b) in z.iter().zip(effects.chunks_exact(c)) {
            for (o, b) in out.iter_mut().zip(b) {
                *o -= z * b;
            }
        }
    }
}

/// `out += Z'R` for rows R of width `c`; `base` is where the first effect of `out` stands among all.
pub fn add_transposed(band: &Band<'_>, r: &[f64], c: usize, base: usize, out: &mut [f64]) {
    with_width!(c, add_transposed_of(band, r, c, base, out))
}

fn add_transposed_of<const C: usize>(band: &Band<'_>, r: &[f64], c: usize, base: usize, out: &mut [f64]) {
    let c = if C > 0 { C } else { c };
    let rows = r.chunks_exact(c).zip(band.z.chunks_exact(band.q));
    for ((r, z), at) in rows.zip(band.at) {
        let at = *at as usize - base;
        let effects = &mut out[at * c..(at + band.q) * c];
        for (z, o) in z.iter().zip(effects.chunks_exact_mut(c)) {
            for (o, r) in o.iter_mut().zip(r) {
                *o += z * r;
            }
        }
    }
}
