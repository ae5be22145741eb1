/// How a plugin compiles a program: a `CompileOptionsProto` in the Protocol Buffers encoding.
package struct CompileOptions {
    /// XLA's own flags, e.g. `xla_gpu_deterministic_ops`.
    package var flags: [(name: String, value: Bool)]
    /// The `id`s of the devices that run the program together; empty: any single device.
    package var replicas: [Int] = []

    package init(flags: [(name: String, value: Bool)] = []) { self.flags = flags }

    /// As text, for cache keys.
    var text: String { flags.map { "\($0.name)=\($0.value)" }.joined(separator: " ") + " \(replicas)" }

    package var encoded: [UInt8] {
        // The number of replicas, and one partition.
        var build = Self.field(4, UInt64(max(1, replicas.count))) + Self.field(5, 1)
        if !replicas.isEmpty {
            // A DeviceAssignmentProto: replicas, partitions, and the devices of the first partition.
            let devices = Self.field(1, bytes: replicas.flatMap { Self.variable(UInt64($0)) })
            build += Self.field(
                9, bytes: Self.field(1, UInt64(replicas.count)) + Self.field(2, 1) + Self.field(3, bytes: devices))
        }
        build = Self.field(3, bytes: build)
        // A portable executable runs on any device of its kind.
        if replicas.isEmpty { build += Self.field(4, 1) }
        for flag in flags {
            // bool_field is field 2 of an OptionOverrideProto.
            let value = Self.field(2, flag.value ? 1 : 0)
            build += Self.field(
                7, bytes: Self.field(1, bytes: Array(flag.name.utf8)) + Self.field(2, bytes: value))
        }
        return build
    }

    private static func variable(_ number: UInt64) -> [UInt8] {
        var rest = number, bytes: [UInt8] = []
        repeat {
            bytes.append(UInt8(rest & 0x7f) | (rest > 0x7f ? 0x80 : 0))
            rest >>= 7
        } while rest > 0
        return bytes
    }

    private static func field(_ number: UInt64, _ value: UInt64) -> [UInt8] { variable(number << 3) + variable(value) }
    private static func field(_ number: UInt64, bytes: [UInt8]) -> [UInt8] {
        variable(number << 3 | 2) + variable(UInt64(bytes.count)) + bytes
    }
}
