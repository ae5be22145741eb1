import AnnealCore
import AnnealXLA
import CPJRT
import Foundation
import Synchronization
import Testing

/// Plugins that misbehave: each gives one clear error.
@Suite struct FaultyPluginTests {
    typealias Function = @convention(c) (UnsafeMutableRawPointer) -> OpaquePointer?

    /// An interface whose functions all do the same, except those for errors. It is never freed, like a plugin's.
    private static func interface(
        minor: Int32 = 114, functions: Int = 138, code: Int32 = 13, missing: Set<Int> = [], _ function: Function
    ) -> UnsafePointer<PJRT_Api> {
        let header = MemoryLayout<PJRT_Api>.size, size = header + functions * MemoryLayout<Function>.stride
        let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        let api = memory.bindMemory(to: PJRT_Api.self, capacity: 1)
        api.pointee.struct_size = size
        api.pointee.version.minor = minor
        let places = (memory + header).bindMemory(to: Function?.self, capacity: functions)
        let message: Function = { arguments in
            let text = arguments.assumingMemoryBound(to: PJRT_Error_Message_Args.self)
            let literal: StaticString = "the device is on fire"
            text.pointee.message = UnsafeRawPointer(literal.utf8Start).assumingMemoryBound(to: CChar.self)
            text.pointee.message_size = literal.utf8CodeUnitCount
            return nil
        }
        let exhausted: Function = { arguments in
            arguments.assumingMemoryBound(to: PJRT_Error_GetCode_Args.self).pointee.code = Int32(
                PJRT_RESOURCE_EXHAUSTED)
            return nil
        }
        for place in 0..<functions where !missing.contains(place) { places[place] = function }
        if functions > 2 {
            places[Int(PJRT_Error_Destroy.rawValue)] = { _ in nil }
            places[Int(PJRT_Error_Message.rawValue)] = message
            places[Int(PJRT_Error_GetCode.rawValue)] = code == PJRT_RESOURCE_EXHAUSTED ? exhausted : { _ in nil }
        }
        return UnsafePointer(api)
    }

    private static let succeeds: Function = { _ in nil }
    private static let fails: Function = { _ in OpaquePointer(bitPattern: 16) }

    @Test(arguments: [Int32(0), 40]) func anOldVersionIsRefused(_ minor: Int32) {
        let error = #expect(throws: AnnealError.self) {
            try PJRTPlugin(Self.interface(minor: minor, Self.succeeds), path: "old.so")
        }
        #expect(error?.problem.contains("version 0.\(minor)") == true && error?.code == .unsupported)
    }

    @Test func aMissingFunctionIsNamed() throws {
        let place = Int(PJRT_Client_Create.rawValue)
        let plugin = try PJRTPlugin(Self.interface(missing: [place], Self.succeeds), path: "half.so")
        let error = #expect(throws: AnnealError.self) { try PJRTClient(plugin) }
        #expect(error?.problem.contains("lacks function \(place)") == true)
        // A structure that ends before a function's index lacks that function too.
        #expect(throws: AnnealError.self) {
            try PJRTClient(PJRTPlugin(Self.interface(functions: 8, Self.succeeds), path: "short.so"))
        }
    }

    @Test func anErrorSaysWhatThePluginSays() {
        let error = #expect(throws: AnnealError.self) {
            try PJRTPlugin(Self.interface(Self.fails), path: "/opt/broken.so")
        }
        #expect(error?.place == "plugin broken.so" && error?.problem == "the device is on fire")
    }

    @Test func exhaustedMemoryHasItsCode() {
        let error = #expect(throws: AnnealError.self) {
            try PJRTPlugin(Self.interface(code: Int32(PJRT_RESOURCE_EXHAUSTED), Self.fails), path: "full.so")
        }
        #expect(error?.code == .outOfMemory && error?.suggestion?.contains("--batch-size") == true)
    }

    private static let seen = Mutex([Int64]())

    /// A process of a job opens only its own devices: the plugin is told which.
    @Test func numbersOfDevicesArriveInThePlugin() throws {
        let interface = UnsafeMutablePointer(mutating: Self.interface(Self.succeeds))
        let places = (UnsafeMutableRawPointer(interface) + MemoryLayout<PJRT_Api>.size)
            .assumingMemoryBound(to: Function?.self)
        places[Int(PJRT_Client_Create.rawValue)] = { arguments in
            let given = arguments.assumingMemoryBound(to: PJRT_Client_Create_Args.self).pointee
            guard let option = given.options?.pointee, option.type == PJRT_OPTION_INT64_LIST,
                option.name_size == "visible_devices".utf8.count
            else { return nil }
            Self.seen.withLock { $0 = Array(UnsafeBufferPointer(start: option.int64_list, count: option.value_size)) }
            return nil
        }
        let plugin = try PJRTPlugin(UnsafePointer(interface), path: "counting.so")
        #expect(throws: AnnealError.self) { try PJRTClient(plugin, options: [.ints("visible_devices", [1, 3])]) }
        #expect(Self.seen.withLock { $0 } == [1, 3])
    }

    /// Functions that report success and return nothing.
    @Test func aClientThatIsNotThereIsAnError() throws {
        let plugin = try PJRTPlugin(Self.interface(Self.succeeds), path: "empty.so")
        #expect(throws: AnnealError.self) { try PJRTClient(plugin) }
    }

    @Test func filesThatAreNoPluginsAreRefused() throws {
        let folder = NSTemporaryDirectory() + "anneal-xla-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Data("no library".utf8).write(to: URL(fileURLWithPath: folder + "/text.so"))
        for (path, problem) in [("/text.so", "cannot be loaded"), ("/none.so", "no such file")] {
            let error = #expect(throws: AnnealError.self) { try PJRTPlugin(path: folder + path) }
            #expect(error?.description.contains(problem) == true)
        }
    }
}
