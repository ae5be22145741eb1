import AnnealCore

/// The rate falls by a factor when a metric has not improved for some validations. Not in MXNet; the defaults are
/// PyTorch's `ReduceLROnPlateau`.
///
/// It is not a function of the update number: it depends on the metrics that `observe` receives after each validation,
/// and its `state` must be saved in a checkpoint.
public struct PlateauScheduler: LearningRateSchedule {
    public static let name = "PlateauScheduler"

    public var baseRate: Double
    public let factor: Double
    /// Validations without improvement that are tolerated.
    public let patience: Int
    /// The fraction of the best value that counts as an improvement.
    public let threshold: Double
    /// Validations after a fall that are ignored.
    public let cooldown: Int
    public let minRate: Double
    /// Whether higher is better, as with accuracy.
    public let higherIsBetter: Bool

    private var best: Double?
    private var bad = 0
    private var waiting = 0
    private var falls = 0

    /// Throws if the factor is not between 0 and 1.
    public init(
        baseRate: Double = 0.01, factor: Double = 0.1, patience: Int = 10, threshold: Double = 1e-4, cooldown: Int = 0,
        minRate: Double = 0, higherIsBetter: Bool = true
    ) throws {
        guard factor > 0, factor < 1 else {
            throw AnnealError(Self.name, "has factor \(factor)", suggestion: "give a number between 0 and 1")
        }
        guard patience >= 0, cooldown >= 0 else {
            throw AnnealError(
                Self.name, "waits for \(patience) and \(cooldown) validations", suggestion: "give 0 or more")
        }
        self.baseRate = baseRate
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.cooldown = cooldown
        self.minRate = minRate
        self.higherIsBetter = higherIsBetter
    }

    public func rate(at update: Int) -> Double {
        var rate = baseRate
        for _ in 0..<falls { rate = max(rate * factor, min(minRate, rate)) }
        return rate
    }

    public mutating func observe(_ value: Double) {
        if isBetter(value) {
            best = value
            bad = 0
        } else {
            bad += 1
        }
        if waiting > 0 {
            waiting -= 1
            bad = 0
        }
        if bad > patience {
            falls += 1
            waiting = cooldown
            bad = 0
        }
    }

    private func isBetter(_ value: Double) -> Bool {
        guard let best else { return !value.isNaN }
        let margin = abs(best) * threshold
        return higherIsBetter ? value > best + margin : value < best - margin
    }

    /// The best value (NaN: none yet), and three counts.
    public var state: [Double] {
        get { [best ?? .nan, Double(bad), Double(waiting), Double(falls)] }
        set {
            guard newValue.count == 4 else { return }
            best = newValue[0].isNaN ? nil : newValue[0]
            // A damaged state must not trap.
            func count(_ number: Double) -> Int { Int(exactly: number.rounded()).map { min(max($0, 0), 1 << 20) } ?? 0 }
            bad = count(newValue[1])
            waiting = count(newValue[2])
            falls = count(newValue[3])
        }
    }
}
