import Foundation

/// The marks of an axis: round numbers, and labels precise enough to tell them apart.
package struct Ticks: Sendable, Equatable {
    package var values: [Double]
    package var labels: [String]

    /// Round marks inside `range`, about `count` of them: steps of 1, 2 or 5 times a power of ten.
    package static func linear(_ range: ClosedRange<Double>, count: Int) -> Ticks {
        let span = range.upperBound - range.lowerBound
        guard span > 0, span.isFinite, count > 0 else {
            return Ticks(values: [range.lowerBound], labels: [label(range.lowerBound, step: nil)])
        }
        let step = roundStep(span / Double(count))
        let values = multiples(of: step, in: range)
        return Ticks(values: values, labels: values.map { label($0, step: step) })
    }

    /// Integers inside `range`, at most `count`: epochs. The first number is kept if there is room before the next
    /// round one: 1, 50, 100, ….
    package static func integers(_ range: ClosedRange<Double>, count: Int) -> Ticks {
        let first = range.lowerBound.rounded(.up)
        let span = range.upperBound - first
        guard span >= 1 else { return Ticks(values: [first], labels: [whole(first)]) }
        // A rounded step may be shorter than requested; here the count is a limit, because labels need room.
        let limit = Double(max(1, count))
        var step = max(1, roundStep(span / limit))
        while span / step > limit { step = roundStep(step * 2.2) }
        var values = multiples(of: step, in: range)
        if let next = values.first, next - first >= 0.7 * step { values.insert(first, at: 0) }
        return Ticks(values: values, labels: values.map(whole))
    }

    private static func whole(_ value: Double) -> String {
        abs(value) < 1e15 ? Readable.count(Int(value)) : label(value, step: nil)
    }

    /// Powers of ten inside a range of positive numbers, at most `count`, written as decimals: 0.001, 0.01, 0.1.
    package static func decades(_ range: ClosedRange<Double>, count: Int) -> Ticks {
        var ticks = logarithmic(range, count: count)
        ticks.labels = ticks.values.map(decimal)
        return ticks
    }

    /// Powers of ten inside a range of positive numbers, with 2 and 5 of each if there are few decades.
    package static func logarithmic(_ range: ClosedRange<Double>, count: Int) -> Ticks {
        guard range.lowerBound > 0, range.upperBound.isFinite else { return linear(range, count: count) }
        // The quotient of the largest and the smallest doubles is infinite.
        let decades = log10(range.upperBound) - log10(range.lowerBound)
        let lowest = Int(log10(range.lowerBound).rounded(.down))
        let highest = Int(log10(range.upperBound).rounded(.up))
        let stride = max(1, Int((decades / Double(max(1, count))).rounded(.up)))
        let digits: [Double] = decades < 1.2 ? [1, 2, 5] : decades < 2.2 && count > 3 ? [1, 3] : [1]
        var values: [Double] = []
        for exponent in lowest...highest where exponent % stride == 0 {
            for digit in digits {
                // Divided, not multiplied: 3 / 1000 is the double nearest to 0.003, 3 × 0.001 is not.
                let value = exponent < 0 ? digit / pow(10, Double(-exponent)) : digit * pow(10, Double(exponent))
                let slack = 1e-9 * value
                if value >= range.lowerBound - slack, value <= range.upperBound + slack { values.append(value) }
            }
        }
        return Ticks(values: values, labels: values.map { label($0, step: nil) })
    }

    /// 1, 2 or 5 times a power of ten, near `wanted`.
    package static func roundStep(_ wanted: Double) -> Double {
        let power = pow(10, log10(wanted).rounded(.down))
        let digit = wanted / power
        // The thresholds are the geometric means of the neighbours, a little lower for a calm grid.
        let rounded: Double = digit < 1.4 ? 1 : digit < 3 ? 2 : digit < 7 ? 5 : 10
        return rounded * power
    }

    private static func multiples(of step: Double, in range: ClosedRange<Double>) -> [Double] {
        let first = (range.lowerBound / step - 1e-9).rounded(.up)
        let last = (range.upperBound / step + 1e-9).rounded(.down)
        guard first <= last, last - first < 1000 else { return [] }
        // Rounded to the step's digits: 3 × 0.1 would be 0.30000000000000004.
        let digits = pow(10, max(0, -log10(step).rounded(.down)))
        return (0...Int(last - first)).map { index in
            let value = ((first + Double(index)) * step * digits).rounded() / digits
            return value == 0 ? 0 : value
        }
    }

    /// With as many decimals as the step has, so that the labels of an axis line up.
    package static func label(_ value: Double, step: Double?) -> String {
        let magnitude = abs(value)
        if value != 0, magnitude < 1e-4 || magnitude >= 1e6 { return scientific(value) }
        guard let step else { return Readable.general(value) }
        if step < 1e-4 { return Readable.general(value) }
        return String(format: "%.\(max(0, Int(-log10(step).rounded(.down))))f", value)
    }

    /// A number without an exponent, `0.00002`, unless it has more than seven decimals or is a million or more.
    package static func decimal(_ value: Double) -> String {
        let magnitude = abs(value)
        guard value != 0, magnitude < 1e-4, magnitude >= 1e-7 else { return label(value, step: nil) }
        var text = String(format: "%.9f", value)
        while text.last == "0" { text.removeLast() }
        return text
    }

    /// `1e-5`, where C writes `1e-05`.
    private static func scientific(_ value: Double) -> String {
        let parts = String(format: "%.2e", value).split(separator: "e")
        guard parts.count == 2, let exponent = Int(parts[1]) else { return "\(value)" }
        var digits = parts[0]
        while digits.last == "0" { digits.removeLast() }
        if digits.last == "." { digits.removeLast() }
        return "\(digits)e\(exponent)"
    }
}
