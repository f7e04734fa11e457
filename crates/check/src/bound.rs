//! Exact binomial confidence bounds (Clopper and Pearson 1934).

/// The greatest error rate that is compatible with `mismatches` in `trials` independent trials at a one-sided
/// `confidence`: the rate at which so few mismatches have probability `1 - confidence`. 1 where nothing was tried.
///
/// Also valid, and then conservative, for trials of unequal rates (strata of lengths) when there is no mismatch:
/// the product of `1 - p_i` is at most the power of `1 - mean p`.
pub fn clopper_pearson_upper(mismatches: u64, trials: u64, confidence: f64) -> f64 {
    if trials == 0 || mismatches >= trials {
        return 1.0;
    }
    let alpha = 1.0 - confidence;
    if mismatches == 0 {
        // (1 - p)^n = alpha, without cancellation for small p.
        return -f64::exp_m1(alpha.ln() / trials as f64);
    }
    bisect(|rate| binomial_cdf(mismatches, trials, rate) > alpha)
}

/// The greatest mean of independent shares (0 to 1 each) that is compatible with a `total` of `trials` of them at a one-sided
/// `confidence`: the mean at which Hoeffding's inequality (1963, theorem 1, in its first form) gives so small a total the probability
/// `1 - confidence`. No less than [`clopper_pearson_upper`] where all shares are 0 or 1, and the same where the total is 0.
pub fn hoeffding_upper(total: f64, trials: u64, confidence: f64) -> f64 {
    let seen = total / trials as f64;
    if trials == 0 || seen >= 1.0 {
        return 1.0;
    }
    let times_log = |share: f64, of: f64| if share > 0.0 { share * (share / of).ln() } else { 0.0 };
    let divergence = |mean: f64| times_log(seen, mean) + times_log(1.0 - seen, 1.0 - mean);
    let enough = -(1.0 - confidence).ln() / trials as f64;
    bisect(|mean| mean <= seen || divergence(mean) < enough)
}

/// The least error rate that is compatible with `mismatches` in `trials`, as [`clopper_pearson_upper`] bounds it above.
pub fn clopper_pearson_lower(mismatches: u64, trials: u64, confidence: f64) -> f64 {
    if mismatches == 0 || trials == 0 {
        return 0.0;
    }
    1.0 - clopper_pearson_upper(trials - mismatches, trials, confidence)
}

/// The greatest rate in 0..1 for which `holds`, which holds below some rate and not above.
fn bisect(holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    // Halving the unit interval 200 times ends at neighbouring doubles whatever the magnitude of the answer.
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// The probability of at most `successes` in `trials` at `rate`, through the regularised incomplete beta function:
/// `P(X <= k) = I_{1-p}(n - k, k + 1)`.
pub fn binomial_cdf(successes: u64, trials: u64, rate: f64) -> f64 {
    if successes >= trials {
        return 1.0;
    }
    incomplete_beta((trials - successes) as f64, successes as f64 + 1.0, 1.0 - rate, rate)
}

/// `I_x(a, b)` with `y = 1 - x` given apart, by the continued fraction of Lentz on the side where it converges fast.
fn incomplete_beta(a: f64, b: f64, x: f64, y: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if y <= 0.0 {
        return 1.0;
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * y.ln()).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        front * beta_fraction(a, b, x) / a
    } else {
        1.0 - front * beta_fraction(b, a, y) / b
    }
}

/// The continued fraction of the incomplete beta function (Abramowitz and Stegun 26.5.8, evaluated as Lentz does).
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let guard = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / guard(1.0 - (a + b) * x / (a + 1.0));
    let mut product = d;
    // Terms needed grow with the square root of the larger parameter; trials are below 10^9.
    for step in 1..200_000_u32 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / guard(1.0 + even * d);
        c = guard(1.0 + even / c);
        product *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / guard(1.0 + odd * d);
        c = guard(1.0 + odd / c);
        product *= d * c;
        if (d * c - 1.0).abs() < 1e-15 {
            break;
        }
    }
    product
}

/// The logarithm of the gamma function for positive arguments (Lanczos, g = 7, nine terms).
fn ln_gamma(z: f64) -> f64 {
    const COEFFICIENTS: [f64; 9] = [
        0.999_999_999_999_809_9,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let z = z - 1.0;
    let series: f64 =
        COEFFICIENTS[0] + COEFFICIENTS[1..].iter().zip(1_u32..).map(|(c, i)| c / (z + f64::from(i))).sum::<f64>();
    let t = z + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (z + 0.5) * t.ln() - t + series.ln()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The distribution function as its definition says, with exact binomial coefficients in floating point.
    fn cdf_by_definition(k: u64, n: u64, p: f64) -> f64 {
        let term = |i: u64| {
            let choose: f64 = (0..i).map(|j| (n - j) as f64 / (j + 1) as f64).product();
            choose * p.powi(i as i32) * (1.0 - p).powi((n - i) as i32)
        };
        (0..=k).map(term).sum()
    }

    proptest! {
        #[test]
        fn the_distribution_function_is_the_sum_of_its_terms(n in 1_u64..60, k in 0_u64..60, p in 0.001_f64..0.999) {
            let k = k.min(n);
            prop_assert!((binomial_cdf(k, n, p) - cdf_by_definition(k, n, p)).abs() < 1e-10);
        }

        #[test]
        fn of_shares_the_bound_is_wider_and_tight_at_nothing(n in 1_u64..60, k in 0_u64..60, confidence in 0.5_f64..0.999) {
            let k = k.min(n);
            let (exact, shares) = (clopper_pearson_upper(k, n, confidence), hoeffding_upper(k as f64, n, confidence));
            prop_assert!(shares >= exact - 1e-12 && (k > 0 || (shares - exact).abs() < 1e-9), "{exact} {shares}");
            prop_assert!(hoeffding_upper(k as f64 / 2.0, n, confidence) <= shares);
        }

        #[test]
        fn the_bound_leaves_exactly_alpha(n in 1_u64..60, k in 0_u64..60, confidence in 0.5_f64..0.999) {
            let k = k.min(n);
            let bound = clopper_pearson_upper(k, n, confidence);
            if k < n {
                prop_assert!((cdf_by_definition(k, n, bound) - (1.0 - confidence)).abs() < 1e-9);
            } else {
                prop_assert_eq!(bound, 1.0);
            }
            prop_assert!(bound >= k as f64 / n as f64);
            prop_assert!(clopper_pearson_lower(k, n, confidence) <= k as f64 / n as f64);
        }
    }

    #[test]
    fn known_values() {
        // The rule of three, and the published 95 % two-sided interval for 10 of 100 (0.0490, 0.1762).
        assert!((clopper_pearson_upper(0, 1000, 0.95) - 0.002_991_2).abs() < 1e-6);
        assert!((clopper_pearson_upper(10, 100, 0.975) - 0.176_2).abs() < 1e-4);
        assert!((clopper_pearson_lower(10, 100, 0.975) - 0.049_0).abs() < 1e-4);
        assert_eq!(clopper_pearson_upper(0, 0, 0.95), 1.0);
        let large = clopper_pearson_upper(1000, 10_000_000, 0.99);
        assert!((1.0e-4..1.1e-4).contains(&large), "{large}");
    }
}
