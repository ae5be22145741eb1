import Anneal
import ArgumentParser
import Foundation

struct Devices: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the devices of this machine that networks can run on.",
        discussion: """
            anneal devices
            anneal train --devices cpu --threads 4 ...

            A processor's instruction set is what Anneal's kernels use, its library what computes the rest; --threads says how
            many threads compute.
            Accelerators come with PJRT plugins: the file that ANNEAL_PJRT_PLUGIN names, the folder that
            'make plugin NAME=cuda12' fills, and the packages of Python environments (JAX's plugins).
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

    @Option(help: ArgumentHelp("text or json, a line for each device.", valueName: "FORMAT"))
    var format = Format.text

    func run() throws {
        let devices = DeviceReport.all()
        switch format {
        case .text:
            var table = TextTable(
                ["Device", "Model", "Cores", "Quota", "Threads", "Instructions", "Library", "Memory"],
                right: [2, 3, 4])
            for device in devices where device.problem == nil {
                table.add([
                    device.name, device.model, device.cores.map(String.init) ?? "-",
                    device.cores == nil ? "-" : device.quota.map { String(format: "%.1f", $0) } ?? "none",
                    device.threads.map(String.init) ?? "-", device.instructions ?? "-", device.library ?? "-",
                    device.memory.map { "\($0 >> 30) GB" } ?? "-",
                ])
            }
            print(table.text)
            for device in devices {
                guard let plugin = device.plugin else { continue }
                print("\(device.name): plugin \(plugin)" + (device.problem.map { "\n  cannot be used: \($0)" } ?? ""))
            }
            for kind in DeviceReport.visibleGPUs() where !devices.contains(where: { $0.name.hasPrefix(kind) }) {
                print("This machine has a GPU (\(kind)) and no plugin for it: \(Device.installing(kind))")
            }
        case .json:
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            for device in devices { print(String(decoding: try encoder.encode(device), as: UTF8.self)) }
        }
    }
}
