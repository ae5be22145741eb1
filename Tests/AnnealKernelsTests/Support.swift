import CAnnealKernels
import CAnnealSystem
import Testing

/// All tests of kernels, run one after another, since the variant and the number of threads are global to the process.
@Suite(.serialized) enum KernelTests {}

/// Runs `body` with each variant that this machine supports, and with 1 and 3 threads.
func everyVariant(threads: [Int32] = [1, 3], _ body: (String) -> Void) {
    let before = anneal_max_threads()
    defer {
        anneal_force_variant(-1)
        anneal_set_threads(before)
    }
    for variant in 0..<anneal_variants() {
        anneal_force_variant(variant)
        for count in threads {
            anneal_set_threads(count)
            body("\(String(cString: anneal_variant_name(variant))), \(count) threads")
        }
    }
}

/// SplitMix64, so that a failure can be repeated.
struct Generator: RandomNumberGenerator {
    var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
    mutating func floats(_ count: Int, _ range: ClosedRange<Float> = -1...1) -> [Float] {
        (0..<count).map { _ in Float.random(in: range, using: &self) }
    }
}

/// An activation's shape with its two forms: plain arrays for the references, blocked ones for the kernels.
struct Shape4 {
    var n: Int, c: Int, s: Int, b: Int
    var dims: anneal_dims { anneal_dims(n: Int64(n), c: Int64(c), s: Int64(s), b: Int64(b)) }
    var blocks: Int { (c + b - 1) / b }
    var plain: Int { n * c * s }
    var elements: Int { n * blocks * b * s }

    func offset(_ i: Int, _ j: Int, _ k: Int) -> Int { ((i * blocks + j / b) * s + k) * b + j % b }

    /// Every element's index in the blocked and in the plain array; `while` since tests run without optimisation.
    private func each(_ body: (Int, Int) -> Void) {
        var to = 0, i = 0
        while i < n {
            var j = 0
            while j < c {
                var k = 0, from = offset(i, j, 0)
                while k < s {
                    body(from, to)
                    from += b
                    to += 1
                    k += 1
                }
                j += 1
            }
            i += 1
        }
    }

    func blocked<T: Numeric>(_ x: [T]) -> [T] {
        var out = [T](repeating: 0, count: elements)
        each { out[$0] = x[$1] }
        return out
    }

    func plain<T: Numeric>(_ x: [T]) -> [T] {
        var out = [T](repeating: 0, count: plain)
        each { out[$1] = x[$0] }
        return out
    }

    func fillingIsZero(_ x: [Float]) -> Bool {
        for i in 0..<n {
            for j in c..<(blocks * b) { for k in 0..<s where x[offset(i, j, k)] != 0 { return false } }
        }
        return true
    }
}

/// |x - r| <= tolerance * (|r| + scale), where scale defaults to the largest |r|.
func expectClose(
    _ x: [Float], _ reference: [Double], _ tolerance: Double, scale: Double? = nil, _ name: String,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    guard x.count == reference.count else {
        Issue.record("\(name): \(x.count) values instead of \(reference.count)", sourceLocation: sourceLocation)
        return
    }
    let unit = scale ?? reference.reduce(0) { max($0, abs($1)) }
    var worst = 0.0, at = -1
    for k in x.indices {
        if x[k].isNaN && reference[k].isNaN { continue }
        if Double(x[k]) == reference[k] { continue }
        let error = abs(Double(x[k]) - reference[k]) / (abs(reference[k]) + unit)
        if !(error <= worst) {
            worst = error
            at = k
            if error.isNaN { break }
        }
    }
    if !(worst <= tolerance) {
        Issue.record(
            "\(name): error \(worst) at \(at): \(x[at]) instead of \(reference[at])", sourceLocation: sourceLocation)
    }
}

func bits(_ x: [Float]) -> [UInt32] { x.map(\.bitPattern) }
