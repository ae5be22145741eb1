import AnnealCore
import AnnealGraph

/// The first pass: one instruction for each operator of the symbol, with shapes.
package enum Lowering {
    package static func lower(_ symbol: Symbol, inputs: [String: Shape], mode: Program.Mode) throws -> Program {
        let nodes = symbol.nodes
        let shapes = try symbol.inferShapes(inputs)
        let auxiliary = Set(try symbol.auxiliaryNames())
        var program = Program(mode: mode)
        var entries: [ObjectIdentifier: [Program.ValueID]] = [:]

        for (node, outputShapes) in zip(nodes, shapes.nodes) {
            guard !node.isVariable else {
                let kind: Program.Kind =
                    auxiliary.contains(node.name) ? .auxiliary : inputs[node.name] != nil ? .input : .parameter
                let id = program.add(.init(name: node.name, shape: outputShapes[0], kind: kind))
                program.variables[node.name] = id
                entries[ObjectIdentifier(node)] = [id]
                continue
            }
            let op = try node.op
            let inputIDs = node.inputs.map { (entries[ObjectIdentifier($0.node)] ?? [])[$0.index] }
            if type(of: op).isIdentity {
                entries[ObjectIdentifier(node)] = inputIDs
                continue
            }
            var writes: [(role: Program.Operand, value: Program.ValueID)] = []
            for (index, (shape, name)) in zip(outputShapes, op.outputNames).enumerated() {
                let id = program.add(
                    .init(name: "\(node.name)_\(name)", shape: shape, kind: .temporary))
                writes.append((.output(index), id))
            }
            entries[ObjectIdentifier(node)] = writes.map(\.value)
            if mode == .training {
                let saved = op.savedShapes(inputs: inputIDs.map { program.values[$0].shape }, outputs: outputShapes)
                for (index, shape) in saved.enumerated() {
                    let id = program.add(.init(name: "\(node.name)_saved\(index)", shape: shape, kind: .temporary))
                    writes.append((.saved(index), id))
                }
            }
            program.instructions.append(
                .init(
                    layer: node.name, action: .forward(op),
                    reads: inputIDs.enumerated().map { (.input($0.offset), $0.element) }, writes: writes))
        }
        program.outputs = symbol.outputs.map { (entries[ObjectIdentifier($0.node)] ?? [])[$0.index] }
        program.backwardStart = program.instructions.count
        try program.verify(after: "lowering")
        return program
    }

    /// A program without a network: parameters with gradients as inputs (`gradient:NAME`).
    package static func parameters(_ parameters: [(name: String, shape: Shape)], mode: Program.Mode) -> Program {
        var program = Program(mode: mode)
        for (name, shape) in parameters {
            program.variables[name] = program.add(.init(name: name, shape: shape, kind: .parameter))
            program.gradients[name] = program.add(.init(name: "gradient:\(name)", shape: shape, kind: .input))
        }
        return program
    }
}
