//! The lowest value of a function without derivatives: Nelder and Mead's simplex, restarted.

/// Minimise from `x`, with a simplex of the sizes `steps`: the place and the value.
pub fn nelder_mead(
    f: &dyn Fn(&[f64]) -> f64,
    x: &[f64],
    steps: &[f64],
    evaluations: usize,
) -> (Vec<f64>, f64) {
    let mut simplex: Vec<(Vec<f64>, f64)> = vec![(x.to_vec(), f(x))];
    for (j, step) in steps.iter().enumerate() {
        let mut corner = x.to_vec();
        corner[j] += step;
        let value = f(&corner);
        simplex.push((corner, value));
    }
    let m = x.len();
    let mut used = simplex.len();
    while used < evaluations {
        simplex.sort_by(|a, b| a.1.total_cmp(&b.1));
        if simplex[m].1 - simplex[0].1 < 1e-10 {
            break;
        }
        let centre: Vec<f64> = (0..m)
            .map(|j| simplex[..m].iter().map(|c| c.0[j]).sum::<f64>() / m as f64)
            .collect();
        let towards = |by: f64| -> (Vec<f64>, f64) {
            let worst = &simplex[m].0;
            let at: Vec<f64> = (0..m).map(|j| centre[j] + by * (worst[j] - centre[j])).collect();
            let value = f(&at);
            (at, value)
        };
        let reflected = towards(-1.0);
        used += 2;
        let next = if reflected.1 < simplex[0].1 {
            let further = towards(-2.0);
            if further.1 < reflected.1 {
                further
            } else {
                reflected
            }
        } else if reflected.1 < simplex[m - 1].1 {
            reflected
        } else {
            towards(if reflected.1 < simplex[m].1 { -0.5 } else { 0.5 })
        };
        if next.1 < simplex[m].1 {
            simplex[m] = next;
            continue;
        }
        shrink(&mut simplex, f);
        used += m;
    }
    simplex.sort_by(|a, b| a.1.total_cmp(&b.1));
    simplex.swap_remove(0)
}

/// All corners half way to the best.
fn shrink(simplex: &mut [(Vec<f64>, f64)], f: &dyn Fn(&[f64]) -> f64) {
    let best = simplex[0].0.clone();
    for corner in &mut simplex[1..] {
        corner
            .0
            .iter_mut()
            .zip(&best)
            .for_each(|(c, b)| *c = 0.5 * (*c + b));
        corner.1 = f(&corner.0);
    }
}

#[test]
fn the_lowest_point_of_a_valley_is_found() {
    let f = |x: &[f64]| (1.0 - x[0]).powi(2) + 10.0 * (x[1] - x[0] * x[0]).powi(2);
    let (at, value) = nelder_mead(&f, &[-1.0, 2.0], &[0.5, 0.5], 2000);
    assert!(value < 1e-8 && (at[0] - 1.0).abs() < 1e-3, "{at:?} {value}");
}
