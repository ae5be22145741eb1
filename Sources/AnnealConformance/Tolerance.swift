import Anneal
import Foundation

/// x matches r when |x - r| <= rtol |r| + atolRel max|r| + atol, the maximum over the array.
struct Tolerance {
    let rtol: Double
    let atolRel: Double
    let atol: Double

    init(rtol: Double = 0, atolRel: Double = 0, atol: Double = 0) {
        self.rtol = rtol
        self.atolRel = atolRel
        self.atol = atol
    }

    init(json: [String: Any]) {
        func number(_ key: String) -> Double { (json[key] as? NSNumber)?.doubleValue ?? 0 }
        self.init(rtol: number("rtol"), atolRel: number("atol_rel"), atol: number("atol"))
    }

    /// What is wrong, with the largest error; nil if all values match. Infinities and NaN match their like.
    func mismatch(_ name: String, _ found: [Float], _ expected: [Float]) -> String? {
        mismatch(name, found.map(Double.init), expected.map(Double.init))
    }

    func mismatch(_ name: String, _ found: [Double], _ expected: [Double]) -> String? {
        guard found.count == expected.count else { return "\(name): \(found.count) values, expected \(expected.count)" }
        let largest = expected.lazy.filter(\.isFinite).map(abs).max() ?? 0
        var worst = 0.0, worstIndex = -1, wrong = 0
        for (index, (x, r)) in zip(found, expected).enumerated() {
            if x == r || x.isNaN && r.isNaN { continue }
            let error = abs(x - r) / (rtol * abs(r) + atolRel * largest + atol)
            guard !(error <= 1) else { continue }
            wrong += 1
            if worstIndex < 0 || error > worst || error.isNaN { (worst, worstIndex) = (error, index) }
        }
        guard wrong > 0 else { return nil }
        return
            "\(name): \(wrong) of \(found.count) values differ, most at \(worstIndex): \(found[worstIndex]) instead of \(expected[worstIndex]) (\(String(format: "%.3g", worst)) x the tolerance)"
    }
}
