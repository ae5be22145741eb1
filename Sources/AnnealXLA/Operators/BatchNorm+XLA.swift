import AnnealCore
import AnnealGraph

extension BatchNorm: XLAOperator {
    /// The position of the normalised axis in the channels-last array.
    private func place(_ rank: Int) -> Int { Order.place(of: axis < 0 ? axis + rank : axis, rank: rank) }

    func forward(_ operands: Operands) {
        let x = operands.stored(.input(0)), channels = place(x.rank), others = x.dims.indices.filter { $0 != channels }
        let ones = operands.stored(.input(1)).like(1)
        // MXNet overwrites a fixed gamma with 1, in inference too.
        if fixGamma { operands.writeStored(.input(1), ones) }
        let gamma = fixGamma ? ones : operands.stored(.input(1)), beta = operands.stored(.input(2))
        var mean = operands.stored(.input(3)), variance = operands.stored(.input(4))
        func spread(_ v: HLOValue) -> HLOValue { v.broadcast(to: x.dims, axis: channels) }
        if operands.isTraining && !useGlobalStats, operands.isGiven(.saved(0)) {
            (mean, variance) = (operands.stored(.saved(0)), operands.stored(.saved(1)))
        } else if operands.isTraining && !useGlobalStats {
            let count = Double(others.map { x.dims[$0] }.reduce(1, *))
            mean = x.sum(others) / count
            let centred = x - spread(mean)
            variance = (centred * centred).sum(others) / count
        }
        let inverse = (variance + Double(eps)).reciprocalSquareRoot()
        let y = (x - spread(mean)) * spread(inverse * gamma) + spread(beta)
        operands.writeStored(.output(0), y)
        operands.writeStored(.saved(0), mean)
        operands.writeStored(.saved(1), variance)
        if outputMeanVar {
            operands.writeStored(.output(1), mean)
            operands.writeStored(.output(2), inverse)
        }
    }

    func backward(_ operands: Operands, part: Int) {
        let x = operands.stored(.input(0)), dy = operands.stored(.outputGradient(0))
        let channels = place(x.rank), others = x.dims.indices.filter { $0 != channels }
        func spread(_ v: HLOValue) -> HLOValue { v.broadcast(to: x.dims, axis: channels) }
        let gamma = fixGamma ? operands.stored(.input(1)).like(1) : operands.stored(.input(1))
        let mean = operands.stored(useGlobalStats ? .input(3) : .saved(0))
        let variance = operands.stored(useGlobalStats ? .input(4) : .saved(1))
        let inverse = (variance + Double(eps)).reciprocalSquareRoot()
        let normal = (x - spread(mean)) * spread(inverse)
        let dBeta = dy.sum(others), dGamma = (dy * normal).sum(others)
        let count = Double(others.map { x.dims[$0] }.reduce(1, *))
        let centred = useGlobalStats ? dy : dy - spread(dBeta / count) - normal * spread(dGamma / count)
        operands.writeStored(.gradient(0), centred * spread(gamma * inverse))
        operands.writeStored(.gradient(1), fixGamma ? dGamma.like(0) : dGamma)
        operands.writeStored(.gradient(2), dBeta)
        // Once per step, here and not in the forward pass, as MXNet does.
        guard !useGlobalStats else { return }
        for (input, batch) in [(3, mean), (4, variance)] {
            operands.writeStored(
                .input(input), operands.stored(.input(input)) * Double(momentum) + batch * Double(1 - momentum))
        }
    }
}
