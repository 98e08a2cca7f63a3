#include "proxy/core/token_cjk.h"

#include <array>
#include <cstddef>
#include <cstring>

namespace ccr::proxy {
namespace {

constexpr char32_t kFirst = 0x4E00;
constexpr char32_t kLast = 0x9FFF;

// The characters that are one token.
constexpr std::u16string_view kOneToken =
    u"一万三上下不与专业东两个中串为主么义之也书了事二于五些交产享京人亿今介从他付代以们件价任份企优会传但位体何余作"
    u"你使例供価保信修倍值停像元先入全公共关其具内円册再写出击分列则初利别到制前力功加务动動包化北区十午华单南即历原"
    u"去县参及友反发取变口只可台右号司合同名后向否含听启告员周命和品哈商問器四回因国图土在地场址型城基報場填增声处备"
    u"复外多大天失头女好如始子字存学安宋完定实审客家容密对导将小少尔就局展山岁州工左已市布常平年并广序库应店度建开异"
    u"式引张当录形影径待後得微心必志态思性总息您情意感成我或户所手打找技投报拉持指按换据排接推提播支收改放政效数整文"
    u"料断新方族无日时明易星是時景更最月有服期木未本机权束条来板构析果查标样核格案检模次款止正此步歳段每比民気水求江"
    u"汽没治法注活流海消清游源火点無然片版物特率环现球理生用由电男画界番登的监目直相省看県真知码确示社票私种科秒称移"
    u"程稍税稿空立站章端笑符第等签简算管箱米类系素索约级线组经结给络统编网置美老考者而联能自至色节英藏行表装西要見见"
    u"规视角解言計記話読计认议记论设证评试话询该详语误说请读调象责败账货购费资起超路身车转软载辑输达过运近还这进连述"
    u"退送选通速造連道邮部都配释里重量金钟钮链销错键长開間関门闭问间队阳陆限院除雅集雷需非面音页项预频题额首验高黑";

// The words of two such characters that are one token, one behind the other.
constexpr std::u16string_view kWords =
    u"成功用户数据时间失败修改文件信息删除名称输入返回类型错误参数函数密码请求登录页面使用管理方法操作添加内容设置"
    u"生成状态列表字段提示日期获取图片商品代码地址保存一个默认存在服务字符验证更新取消创建选择订单为空查询表示上传"
    u"监听不能描述显示处理开始所有编辑作者事件手机中国加载结果标题注意完成确定周期注册下载如果连接消息对象是否记录"
    u"输出姓名说明通过当前支付格式北京数组重新设计分类以上异常版本网络隐藏进行提交发送联系系统编号点击公司项目可以"
    u"程序雅黑排序首页关闭执行单位方式条件記事路径退出宋体例如相关搜索属性金额没有结束确认测试数量位置時間文章链接"
    u"数字声明产品亿元分钟按钮需要全部资源评论配置问题报道视频可能文字以下电话有效今年任务正确来源详情一页发布审核"
    u"其中权限定义万元同时無料大小节点小时其他自治分享邮箱新增正在备注价格我的我们移到功能长度送料在线";

template <size_t kBits>
class BitSet {
 public:
  constexpr void Set(size_t i) { words_[i / 64] |= uint64_t{1} << i % 64; }
  constexpr bool Has(size_t i) const { return (words_[i / 64] >> i % 64 & 1) != 0; }

 private:
  std::array<uint64_t, kBits / 64> words_{};
};

constexpr size_t kWordBits = 14;  // so that about one pair in a hundred is taken for a word that is none

constexpr size_t HashPair(char32_t a, char32_t b) {
  return static_cast<uint32_t>((a << 16 | b) * 0x9E3779B1U) >> (32 - kWordBits);
}

constexpr auto kIsOneToken = [] {
  BitSet<kLast - kFirst + 1> set;
  for (const char16_t c : kOneToken) set.Set(c - kFirst);
  return set;
}();

constexpr auto kIsWord = [] {
  BitSet<size_t{1} << kWordBits> set;
  for (size_t i = 0; i < kWords.size(); i += 2) set.Set(HashPair(kWords[i], kWords[i + 1]));
  return set;
}();

const char* SkipAscii(const char* p, const char* end) {
  for (uint64_t bytes = 0; end - p >= 8; p += 8) {
    std::memcpy(&bytes, p, 8);
    if ((bytes & 0x8080808080808080U) != 0) break;
  }
  while (p != end && static_cast<uint8_t>(*p) < 0x80) ++p;
  return p;
}

// The Chinese character of three bytes that [p, end) begins with, or 0.
char32_t ChineseAt(const char* p, const char* end) {
  if (end - p < 3) return 0;
  const auto byte = [p](int i) { return static_cast<char32_t>(static_cast<uint8_t>(p[i])); };
  if ((byte(0) & 0xF0) != 0xE0 || (byte(1) & 0xC0) != 0x80 || (byte(2) & 0xC0) != 0x80) return 0;
  const char32_t c = (byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
  return c >= kFirst && c <= kLast ? c : 0;
}

}  // namespace

int64_t ChineseExcess(std::string_view text) {
  const char* const end = text.data() + text.size();
  int64_t excess = 0;
  char32_t open = 0;  // the character before, when a word may begin with it
  for (const char* p = text.data(); p != end;) {
    const char32_t c = ChineseAt(p, end);
    if (c == 0) {
      open = 0;
      p = SkipAscii(p + 1, end);
      continue;
    }
    const bool one = kIsOneToken.Has(c - kFirst);
    const bool word = one && open != 0 && kIsWord.Has(HashPair(open, c));
    excess += word ? -1 : one ? 0 : 1;
    open = one && !word ? c : 0;
    p += 3;
  }
  return excess;
}

}  // namespace ccr::proxy
