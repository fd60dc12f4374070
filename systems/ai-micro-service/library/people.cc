#include "library/people.h"

#include "library/common.h"

namespace aimicro {
namespace {

constexpr const char* kTokyo = "Asia/Tokyo";

constexpr Person kPeople[] = {
    {"tech-lead@example.com", "佐藤 健一", "基盤開発部", "技術リード。障害対応の一次窓口です。", "ja", kTokyo,
     true},
    {"infra@example.com", "鈴木 遥", "インフラ運用課", "インフラ担当。週次でバックアップを確認します。", "ja",
     kTokyo, true},
    {"pm@example.com", "高橋 直子", "プロダクト企画室", "プロダクトマネージャー。利用者への案内を担当。",
     "ja", kTokyo},
    {"misaki.tanaka@example.com", "田中 美咲", "営業企画部", "提案資料をまとめています。", "ja", kTokyo},
    {"sho.ito@example.com", "伊藤 翔", "データ分析課", "需要予測のモデルを育てています。", "ja", kTokyo},
    {"yui.watanabe@example.com", "渡辺 結衣", "人事部", "研修資料の管理をしています。", "ja", kTokyo},
    {"daichi.yamamoto@example.com", "山本 大地", "品質保証部", "受け入れ試験と手順書の担当です。", "ja",
     kTokyo},
    {"aoi.nakamura@example.com", "中村 葵", "デザイン室", "画面と文言を整えます。", "ja", kTokyo},
    {"ren.kobayashi@example.com", "小林 蓮", "カスタマーサポート", "お問い合わせの一次回答をしています。",
     "ja", kTokyo},
    {"sakura.kato@example.com", "加藤 さくら", "経理部", "", "ja", kTokyo},
    {"takumi.yoshida@example.com", "吉田 拓海", "基盤開発部", "認証まわりを担当。パスキー推進派です。", "ja",
     kTokyo},
    {"hina.yamada@example.com", "山田 陽菜", "法務室", "規程と契約書の版を管理しています。", "ja", kTokyo},
    {"grace.okafor@example.com", "Grace Okafor", "Platform Engineering",
     "Keeps the lights on, and writes down how.", "en", "Europe/London", true},
    {"liam.murphy@example.com", "Liam Murphy", "Customer Success", "Happy to help between Dublin and Lisbon.",
     "en", "Europe/Dublin"},
    {"chloe.martin@example.com", "Chloé Martin", "Design Studio", "Type, colour, and the words on buttons.",
     "en", "Europe/Paris"},
    {"noah.schneider@example.com", "Noah Schneider", "Data Science", "Forecasts demand; forgets umbrellas.",
     "en", "Europe/Berlin"},
    {"priya.natarajan@example.com", "Priya Natarajan", "Quality Engineering",
     "If it is not tested, it is a rumour.", "en", "Asia/Kolkata"},
    {"mateo.garcia@example.com", "Mateo García", "Sales Operations", "", "en", "America/Mexico_City"},
    {"olivia.chen@example.com", "Olivia Chen", "Legal", "Contracts, policies, and their versions.", "en",
     "America/Los_Angeles"},
    {"samuel.johnson@example.com", "Samuel Johnson", "Documentation", "A lexicographer; a harmless drudge.",
     "en", "America/New_York"},
    {"emre.yilmaz@example.com", "Emre Yılmaz", "Site Reliability", "On call every third week.", "en",
     "Europe/Istanbul"},
    {"ingrid.larsen@example.com", "Ingrid Larsen", "Finance", "", "en", "Europe/Oslo"},
    {"tomas.novak@example.com", "Tomáš Novák", "Platform Engineering", "Rust by night.", "en",
     "Europe/Prague"},
    {"amina.diallo@example.com", "Amina Diallo", "People Operations", "Onboarding and training.", "en",
     "Africa/Dakar"},
};

}  // namespace

std::span<const Person> people() { return kPeople; }

std::string id_of(const Person& person) { return uuid_of(std::string("user:") + person.email); }

}  // namespace aimicro
