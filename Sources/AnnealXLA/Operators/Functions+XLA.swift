// Functions that StableHLO lacks: those of CHLO, which plugins expand when they read the text, and some composed of
// others.

extension HLOValue {
    private func chlo(_ operation: String) -> HLOValue {
        function.emit(dims, type, "chlo.\(operation) \(name) : \(text) -> \(text)")
    }

    func tangent() -> HLOValue { chlo("tan") }
    func arcSine() -> HLOValue { chlo("asin") }
    func arcCosine() -> HLOValue { chlo("acos") }
    func hyperbolicSine() -> HLOValue { chlo("sinh") }
    func hyperbolicCosine() -> HLOValue { chlo("cosh") }
    func inverseHyperbolicSine() -> HLOValue { chlo("asinh") }
    func inverseHyperbolicCosine() -> HLOValue { chlo("acosh") }
    func inverseHyperbolicTangent() -> HLOValue { chlo("atanh") }
    func errorFunction() -> HLOValue { chlo("erf") }
    /// 1 - erf(x), without cancellation.
    func complementaryErrorFunction() -> HLOValue { chlo("erfc") }
    func inverseErrorFunction() -> HLOValue { chlo("erf_inv") }
    /// ln |Γ(x)|
    func logarithmOfGamma() -> HLOValue { chlo("lgamma") }
    /// The derivative of ln Γ(x).
    func digamma() -> HLOValue { chlo("digamma") }

    /// By the polynomial of `atanf` in Cephes (S. Moshier). `chlo.atan` is atan2(x, 1), which an x86 plugin (XLA of
    /// 2025) computes wrongly in vectors: results end up at other elements.
    func arcTangent() -> HLOValue {
        // tan(3π/8) and tan(π/8)
        let a = absolute(), large = a.compare(.greater, 2.414213562373095)
        let middle = a.compare(.greater, 0.4142135623730950)
        let reduced = large.select(-1 / a, middle.select((a - 1) / (a + 1), a))
        let start = large.select(like(.pi / 2), middle.select(like(.pi / 4), 0))
        let z = reduced * reduced
        let polynomial = (((z * 8.05374449538e-2 - 1.38776856032e-1) * z + 1.99777106478e-1) * z - 3.33329491539e-1)
        let result = start + (polynomial * z * reduced + reduced)
        return compare(.less, 0).select(-result, result)
    }

    /// Γ(x), accurate to about 1e-7 ln |Γ(x)|. The sign alternates between negative integers, where Γ is undefined.
    func gamma() -> HLOValue {
        let down = floor(), half = down * 0.5
        let isOdd = half.compare(.unequal, half.floor()), isNegative = compare(.less, 0)
        let size = logarithmOfGamma().exponential()
        let value = (isNegative & isOdd).select(-size, size)
        return (isNegative & compare(.equal, down)).select(like(.nan), value)
    }

    /// Truncated towards zero.
    func truncated() -> HLOValue { compare(.less, 0).select(ceiling(), floor()) }

    /// To the nearest integer; halves to even.
    func roundedToEven() -> HLOValue { function.emit(dims, type, "stablehlo.round_nearest_even \(name) : \(text)") }

    /// 1, -1, or 0 for zero and NaN.
    func signOrZero() -> HLOValue { compare(.greater, 0).select(like(1), compare(.less, 0).select(like(-1), 0)) }

    /// a modulo b with the sign of b; 0 for b = 0. The remainder is exact, unlike a - floor(a / b) b.
    func modulo(_ b: HLOValue) -> HLOValue {
        let rest = remainder(b), crosses = rest.compare(.less, 0) ^ b.compare(.less, 0)
        let result = (rest.compare(.unequal, 0) & crosses).select(rest + b, rest)
        return b.compare(.equal, 0).select(like(0), result)
    }

    /// √(a² + b²), without overflow.
    func hypot(_ b: HLOValue) -> HLOValue {
        let large = absolute().maximum(b.absolute()), small = absolute().minimum(b.absolute())
        let isOrdinary = large.compare(.greater, 0) & large.compare(.less, .infinity)
        let ratio = isOrdinary.select(small / large, 0)
        return large * (ratio * ratio + 1).squareRoot()
    }

    /// 1 where flags are set, else 0.
    func numbers() -> HLOValue { converted(to: .f32) }
    /// Flags: neither 0 nor false.
    func isNotZero() -> HLOValue { compare(.unequal, 0) }
    func isNaN() -> HLOValue { compare(.unequal, self) }

    // MARK: Shapes

    /// Broadcasts as NumPy does: missing leading axes are added, extents of 1 repeated.
    func stretched(to other: [Int]) -> HLOValue {
        broadcast(to: other, along: dims.indices.map { $0 + other.count - rank })
    }

    /// The adjoint of `stretched`: sums over the axes along which an array of extents `other` was repeated.
    func summed(to other: [Int]) -> HLOValue {
        let added = rank - other.count
        let axes = dims.indices.filter { $0 < added || other[$0 - added] == 1 && dims[$0] != 1 }
        return sum(axes).reshaped(other)
    }

    /// Broadcasts a reduced array, which lacks `axes`, over them.
    func spread(over axes: [Int], of other: [Int]) -> HLOValue {
        broadcast(to: other, along: other.indices.filter { !axes.contains($0) })
    }
}
