import AnnealCompiler
import AnnealCore
import AnnealGraph

/// A part of a program as a StableHLO function.
///
/// Arrays with three or more axes have their second axis, the channels, last, weights included: accelerators'
/// convolutions expect it. Operators that need MXNet's order transpose, and the compiler drops transpositions that
/// cancel.
package final class PartWriter {
    let program: Program
    let key: PartKey
    let function: HLOFunction
    let precision: ElementType
    let reproducesMXNetDefects: Bool
    let shards: Int
    private(set) var arguments: [PartArgument] = []
    private var argumentValues: [PartArgument: HLOValue] = [:]
    /// The values computed so far, with channels last.
    var values: [Program.ValueID: HLOValue] = [:]
    var repetition = Repetition()
    /// Parameters, statistics and states that have a new value, in the order in which they were set.
    private var changed: [Program.ValueID] = []

    /// - Parameters:
    ///   - shards: the number of shards of the step.
    ///   - usesTF32: whether products of float32 numbers may be rounded to TF32.
    package init(
        _ program: Program, _ key: PartKey, precision: ElementType, shards: Int = 1, usesTF32: Bool = false,
        reproducesMXNetDefects: Bool
    ) {
        function = HLOFunction(usesTF32: usesTF32)
        self.shards = shards
        self.program = program
        self.key = key
        self.precision = precision
        self.reproducesMXNetDefects = reproducesMXNetDefects
    }

    package struct Text {
        package let module: String
        package let arguments: [PartArgument]
        package let results: [PartResult]
        /// The layout of a shard's row.
        var row = RowLayout()
    }

    /// The length of a row, and how many of its first numbers are gradients.
    struct RowLayout: Hashable {
        var elements = 0
        var gradients = 0
    }

    /// - Parameter carried: the computed values that are needed afterwards.
    package func write(carried: Set<Program.ValueID>) throws -> Text {
        if key.role == .update { try takeSum() }
        var isScaled = scalesGradients
        for (index, instruction) in program.instructions.enumerated()
        where isHere(instruction, program.phase(of: index)) {
            if isScaled, index >= program.backwardStart, program.phase(of: index) != .backward {
                try unscale()
                isScaled = false
            }
            do {
                try write(instruction)
            } catch let error as AnnealError where !error.place.hasPrefix("layer ") {
                throw error.within("layer \(instruction.layer)")
            }
        }
        if isScaled { try unscale() }
        var results: [PartResult] = [], list: [HLOValue] = [], layout = RowLayout()
        func give(_ result: PartResult, _ value: HLOValue) {
            results.append(result)
            list.append(value)
        }
        if key.role == .shard, key.phases.contains(.backward) {
            let row = try exchanged.map { id in
                let value = try value(id)
                return value.reshaped([value.elementCount])
            }
            if !row.isEmpty { give(.row, HLOValue.concatenated(row, axis: 0)) }
            layout = RowLayout(elements: elements(of: exchanged), gradients: elements(of: exchangedGradients))
        } else if key.role != .shard {
            for id in changed { give(.stored(id), try value(id)) }
        }
        let checks = key.role == .shard ? [] : program.checks.map(\.value)
        for id in program.outputs + checks where values[id] != nil {
            guard program.values[id].kind == .temporary || program.values[id].kind == .input,
                !results.contains(.plain(id)), key.phases.contains(.forward) || !program.outputs.contains(id)
            else { continue }
            give(.plain(id), Order.plain(try value(id)).converted(to: .f32))
        }
        for id in carried.sorted() where values[id] != nil { give(.carried(id), try value(id)) }
        // A result takes over the memory of the argument that held the value before.
        var donated: [Int: Int] = [:]
        for (number, result) in results.enumerated() {
            guard case .stored(let id) = result, let place = arguments.firstIndex(of: .stored(id)) else { continue }
            donated[place] = number
        }
        return Text(
            module: function.module(results: list, donated: donated), arguments: arguments, results: results,
            row: layout)
    }

    private func isHere(_ instruction: Program.Instruction, _ phase: Phases) -> Bool {
        guard key.phases.contains(phase) else { return false }
        guard case .update(let action) = instruction.action, case .restore(.check) = action else {
            // A shard's own flags are part of its row.
            return key.role != .update || phase != .check
        }
        // Statistics are restored if any shard's step is not finite.
        return key.role != .shard
    }

    // MARK: Loss scale

    /// Whether the part has gradients in float16, which are multiplied by the loss scale.
    private var scalesGradients: Bool {
        precision == .float16 && program.mode == .training && key.role != .update && key.phases.contains(.backward)
    }

    /// One of the scalars of the step.
    func scalar(_ index: Int) -> HLOValue {
        argument(.scalars, [4], .f32).sliced(axis: 0, from: index, to: index + 1).reshaped([])
    }

    /// Divides the gradients of parameters by the loss scale.
    private func unscale() throws {
        for id in Set(program.gradients.values).sorted()
        where values[id] != nil && program.values[id].kind == .temporary {
            set(id, try value(id) * scalar(3))
        }
    }

    // MARK: Instructions

    private func write(_ instruction: Program.Instruction) throws {
        let operands = Operands(writer: self, instruction: instruction)
        switch instruction.action {
        case .forward(let op): try known(op).forward(operands)
        case .recompute(let op): try known(op).forward(operands.behindBarrier(before: try gate(of: instruction)))
        case .backward(let op, let part):
            try known(op).backward(operands, part: part)
            guard scalesGradients, op.isLoss else { return }
            // The gradients begin here.
            for (role, id) in instruction.writes {
                if case .gradient = role { set(id, try value(id) * scalar(2)) }
            }
        case .sum:
            operands.writeStored(.output(0), operands.stored(.input(0)) + operands.stored(.input(1)))
        case .update(let action): try operands.write(action)
        }
    }

    private func known(_ op: any Operator) throws -> any XLAOperator {
        guard let op = op as? any XLAOperator else {
            throw AnnealError("", "accelerators do not have the operator \(op.operation)", code: .unsupported)
        }
        return op
    }

    // MARK: Values

    /// The current value of the program, with channels last.
    func value(_ id: Program.ValueID) throws -> HLOValue {
        if let known = values[id] { return known }
        let value = program.values[id]
        let made: HLOValue
        switch value.kind {
        case .input:
            if let scaling = key.pixels[id] {
                made = normalised(argument(.pixels(id), value.shape.dims, .ui8), scaling)
            } else {
                let given = Order.channelsLast(argument(.input(id), value.shape.dims, .f32))
                made = scalesGradients && program.heads.values.contains(id) ? given * scalar(2) : given
            }
        case .parameter, .auxiliary, .state: made = argument(.stored(id), Order.channelsLast(value.shape.dims), .f32)
        case .temporary: made = argument(.carried(id), Order.channelsLast(value.shape.dims), HLOType(value.type))
        case .derived: throw AnnealError(value.name, "is derived", code: .internalDefect)
        }
        values[id] = made
        return made
    }

    /// Pixels in plain order, converted to floats with channels last.
    private func normalised(_ pixels: HLOValue, _ scaling: PixelScaling) -> HLOValue {
        let values = Order.channelsLast(pixels).converted(to: .f32), count = scaling.mean.count
        func spread(_ numbers: [Float]) -> HLOValue {
            function.constant(numbers, [count]).broadcast(to: values.dims, axis: values.rank - 1)
        }
        return (values - spread(scaling.mean)) * spread(scaling.factor)
    }

    func set(_ id: Program.ValueID, _ value: HLOValue) {
        values[id] = value.converted(to: HLOType(program.values[id].type))
        switch program.values[id].kind {
        case .parameter, .auxiliary, .state: if !changed.contains(id) { changed.append(id) }
        case .input, .temporary, .derived: break
        }
    }

    func argument(_ argument: PartArgument, _ dims: [Int], _ type: HLOType) -> HLOValue {
        if let known = argumentValues[argument] { return known }
        let value = function.argument(dims, type)
        arguments.append(argument)
        argumentValues[argument] = value
        return value
    }
}
