import AnnealCPU
import AnnealCompiler
import AnnealCore
import AnnealGraph
import AnnealTrain

// Programs name a device; without one they get the CPU.

extension Executor {
    /// - Parameters:
    ///   - inputs: shapes of data and labels by name; labels may be left out.
    ///   - gradients: the variables to differentiate with respect to in training; all parameters if nil.
    ///   - parameters: the store of an earlier executor of the same network; a new one if nil.
    ///   - recomputation: what the backward pass may recompute to save memory. All choices give the same bits.
    ///   - keepsParameters: false lets inference release the memory of weights that it has folded batch norm into. They
    ///     cannot be read then, nor used by another executor, until they are set again.
    ///   - device: where it runs: the store's device if one is given, else the CPU if nil.
    public convenience init(
        _ symbol: Symbol, inputs: [String: Shape], mode: Mode, gradients: Set<String>? = nil,
        parameters: ParameterStore? = nil, recomputation: Recomputation = .cheap, keepsParameters: Bool = true,
        device: Device? = nil
    ) throws {
        try self.init(
            symbol, inputs: inputs, mode: mode, gradients: gradients, parameters: parameters,
            recomputation: recomputation, keepsParameters: keepsParameters, engine: engine(of: parameters, device))
    }
}

extension Trainer {
    /// - Parameters:
    ///   - symbol: a classifier. One that reads no label gets a `SoftmaxOutput` (`ClassifierNetwork.withLoss`).
    ///   - dataShape: a row of data, e.g. (channels, height, width).
    ///   - frozen: parameters without gradient, update and weight decay. Batch norms with gamma and beta both frozen,
    ///     or with a frozen moving statistic, normalise by their moving statistics and do not update them. Nothing is
    ///     computed for gradients that lead to frozen parameters only. A gamma under `fix_gamma` is set to 1 in any
    ///     case, as in MXNet.
    ///   - softLabels: training's labels are rows of probabilities, as from a `SoftLabelSource`, and the loss is
    ///     -sum(label * log p), whatever their sum is. Scoring uses class numbers as usual; `symbol` does not change.
    ///   - recomputation: what the backward pass may recompute to save memory. All choices give the same bits.
    ///   - averaging: weights that follow the trained ones, starting from their values before the first step; if nil,
    ///     the average of the optimizer's chain (`RuleChain`).
    ///   - accumulation: the number of batches that are averaged into one update.
    ///   - keepsGradients: whether `gradient` has every parameter's gradient. Otherwise large parameters are updated
    ///     within the backward pass, so that their gradients need no separate memory.
    ///   - canDropSteps: whether `FitOptions.onNonFinite` may be `.skip`. Then every update waits until the step is
    ///     known to be finite, and gradients need separate memory.
    ///   - precision: the type between layers; weights, statistics and losses are always float32. The CPU supports
    ///     float32 only.
    ///   - lossScaling: with float16 only; dynamic if nil.
    ///   - device: where it runs; the CPU if nil.
    /// - Throws: `AnnealError`, with the code `outOfMemory` where the machine or a limit has less memory than is needed.
    public convenience init(
        _ symbol: Symbol, dataShape: Shape, batchSize: Int, optimizer: Optimizer, frozen: Set<String> = [],
        seed: UInt64 = 0, softLabels: Bool = false, recomputation: Recomputation = .cheap,
        averaging: WeightAveraging? = nil, accumulation: Int = 1, keepsGradients: Bool = false,
        canDropSteps: Bool = false, precision: ElementType = .float32, lossScaling: LossScaling? = nil,
        device: Device? = nil
    ) throws {
        try self.init(
            symbol, dataShape: dataShape, batchSize: batchSize, optimizer: optimizer, frozen: frozen, seed: seed,
            softLabels: softLabels, recomputation: recomputation, averaging: averaging, accumulation: accumulation,
            keepsGradients: keepsGradients, canDropSteps: canDropSteps, precision: precision,
            lossScaling: lossScaling, engine: engine(of: nil, device))
    }
}

extension OptimizedParameters {
    /// - Parameters:
    ///   - optimizer: its rule and settings are copied; it does not change.
    ///   - values: the parameters in the order in which they are updated.
    ///   - device: where it runs; the CPU if nil.
    /// - Throws: if the rule cannot update one of them.
    public convenience init(
        _ optimizer: Optimizer, _ values: [(name: String, value: Tensor)], device: Device? = nil
    ) throws {
        try self.init(optimizer, values, engine: engine(of: nil, device))
    }
}

extension Scorer {
    /// - Parameters:
    ///   - dataShape: a row of data, e.g. (channels, height, width).
    ///   - parameters: the store of a trainer of the same network; if nil a new one, to be set before the first pass
    ///     and not to be read after it (`keepsParameters` of `Executor`).
    ///   - views: more than one require a network that ends in a softmax.
    ///   - device: where it runs: the store's device if one is given, else the CPU if nil.
    /// - Throws: if the network's output is not (batch, classes).
    public convenience init(
        _ network: ClassifierNetwork, dataShape: Shape, batchSize: Int, parameters: ParameterStore? = nil,
        views: TestTimeViews = .none, device: Device? = nil
    ) throws {
        try self.init(
            network, dataShape: dataShape, batchSize: batchSize, parameters: parameters, views: views,
            engine: engine(of: parameters, device))
    }

    /// As above, with a symbol that is a classifier.
    public convenience init(
        _ symbol: Symbol, dataShape: Shape, batchSize: Int, parameters: ParameterStore? = nil,
        views: TestTimeViews = .none
    ) throws {
        try self.init(
            ClassifierNetwork(symbol), dataShape: dataShape, batchSize: batchSize, parameters: parameters, views: views)
    }
}

/// The CPU.
package func defaultEngine() throws -> any Engine { try CPUEngine() }

private func engine(of store: ParameterStore?, _ device: Device?) throws -> any Engine {
    guard let store else { return try device?.engine ?? defaultEngine() }
    guard let device, device.engine !== store.engine else { return store.engine }
    throw AnnealError(
        "device \(device.name)", "is not the device of the parameters", suggestion: "leave it out", code: .mismatch)
}
