import AnnealCore
import Foundation

/// How far a value may be from MXNet's: |x - r| <= rtol*|r| + atolRelative*max|r| + atol, the maximum over the array.
public struct Tolerance: Sendable, Equatable {
    public var rtol: Double
    public var atolRelative: Double
    public var atol: Double

    public init(rtol: Double, atolRelative: Double, atol: Double) {
        self.rtol = rtol
        self.atolRelative = atolRelative
        self.atol = atol
    }

    /// The `tolerance` of a `case.json`; `standard` where it has none.
    public init(json: [String: Any], standard: Tolerance = Tolerance(rtol: 1e-5, atolRelative: 1e-5, atol: 1e-7)) {
        let object = json["tolerance"] as? [String: Any] ?? [:]
        func number(_ key: String) -> Double? { (object[key] as? NSNumber)?.doubleValue }
        self.init(
            rtol: number("rtol") ?? standard.rtol, atolRelative: number("atol_rel") ?? standard.atolRelative,
            atol: number("atol") ?? standard.atol)
    }

    /// nil if all values match; else one line with the largest error, as a multiple of the tolerance.
    ///
    /// NaN matches only NaN, infinity only the same infinity.
    public func mismatch<T: Collection, R: Collection>(_ what: String, _ values: T, _ references: R) -> String?
    where T.Element: BinaryFloatingPoint, R.Element: BinaryFloatingPoint {
        guard values.count == references.count else {
            return "\(what): \(values.count) values, expected \(references.count)"
        }
        let scale = references.lazy.map { abs(Double($0)) }.filter(\.isFinite).max() ?? 0
        var worst = 1.0, wrong = 0, line = ""
        for (index, (value, reference)) in zip(values, references).enumerated() {
            let excess = excess(Double(value), Double(reference), scale)
            guard excess > 1 else { continue }
            wrong += 1
            guard excess > worst || line.isEmpty else { continue }
            worst = excess
            line = "\(what)[\(index)] is \(value), expected \(reference)"
        }
        guard wrong > 0 else { return nil }
        let times = worst.isFinite ? "\((worst * 10).rounded() / 10) times the tolerance" : "not a number or infinite"
        return "\(line) (\(times); \(wrong) of \(values.count) values)"
    }

    /// The error as a multiple of the tolerance.
    private func excess(_ x: Double, _ r: Double, _ scale: Double) -> Double {
        if x.isNaN || r.isNaN { return x.isNaN && r.isNaN ? 0 : .infinity }
        if x == r { return 0 }
        guard x.isFinite, r.isFinite else { return .infinity }
        let allowed = rtol * abs(r) + atolRelative * scale + atol
        return allowed > 0 ? abs(x - r) / allowed : .infinity
    }
}
