//! The parameters at a point, as users see them.

use crate::error::Result;
use crate::estimates::{congruence, to_user};
use crate::linalg::{identity, square_size};

use super::path::Parameter;
use super::walk::Walk;

impl Walk<'_, '_> {
    /// All parameters at the optimum, user's scale.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn estimates(&mut self, full: &[f64]) -> Result<Vec<f64>> {
        self.joint.value(&self.path.coordinates, full)?;
        Ok(self.values(full, None))
    }

    /// All parameters, the held one being what it is held at.
    pub(super) fn held_values(&self, u: f64, full: &[f64], effect: Option<f64>) -> Vec<f64> {
        let mut values = self.values(full, effect);
        values[self.place] = self.path.user(u).0;
        values
    }

    /// All parameters on the user's scale, at the engine's last evaluation, with the value of an effect that it holds.
    fn values(&self, full: &[f64], held: Option<f64>) -> Vec<f64> {
        let engine = &*self.joint.engine;
        let sigma = self.joint.unit * full[full.len() - 1].exp();
        let lambda = to_user(engine, &self.path.coordinates.lambda(&full[..full.len() - 1]));
        let psi: Vec<Vec<f64>> = lambda
            .iter()
            .map(|l| congruence(l, &identity(square_size(l))))
            .collect();
        let element = |term: usize, i: usize, j: usize| psi[term][j * square_size(&psi[term]) + i];
        let mut values: Vec<f64> = self
            .elements
            .iter()
            .map(|parameter| match parameter {
                Parameter::Sd { term, column } => sigma * element(*term, *column, *column).sqrt(),
                Parameter::Correlation {
                    term,
                    columns: (a, b),
                } => {
                    let size = element(*term, *a, *a).sqrt() * element(*term, *b, *b).sqrt();
                    (element(*term, *a, *b) / size).clamp(-1.0, 1.0)
                }
                Parameter::Sigma | Parameter::Effect(_) => f64::NAN,
            })
            .collect();
        values.push(sigma);
        let (frame, beta) = (engine.frame(), &engine.root().beta);
        let user = |(j, b): (&usize, &f64)| {
            b * (frame.scaling.y / frame.scaling.x[*j]) + frame.scaling.shift * frame.scaling.constant[*j]
        };
        let mut effects: Vec<f64> = frame.kept.iter().zip(beta).map(user).collect();
        if let (Some((j, _, _)), Some(held)) = (self.effect, held) {
            effects.insert(j, held);
        }
        values.extend(effects);
        values
    }
}
